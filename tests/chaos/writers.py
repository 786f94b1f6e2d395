"""Other clients of the server, each with a connection of its own that nobody
cuts: so all that they did is known."""
import imaplib
import time

from chaos.history import Fault
from chaos.messages import Message, body, letters_of, wire_flags
from chaos.mounts import Program
from servers.client import Client


class Writer(Program):
    """Appends, flags, copies, moves and expunges messages that are its own, and
    makes, renames and deletes mailboxes of its own.

    Some of what it appends it leaves to the programs on the mount, and it takes
    over some of what they delivered.
    """

    pause_s = 0.15

    def __init__(self, history, number, seed, server, user, ledger, mailboxes,
                 mount):
        super().__init__(history, f"writer{number}", seed)
        self.number = number
        self.account = (server.port, user, server.password)
        self.connect()
        self.prefix = "INBOX." if server.separator == "." else ""
        self.separator = server.separator
        self.ledger = ledger
        self.mailboxes = mailboxes
        self.mount = mount
        self.own = []  # mailboxes
        self.mine = []  # messages
        self.count = 0
        capabilities = self.imap.capability()[1][0].decode().split()
        self.has_move = "MOVE" in capabilities
        self.has_uidplus = "UIDPLUS" in capabilities
        self.deeds = [(self.append, 8), (self.flag, 5), (self.copy, 3),
                      (self.move, 4), (self.expunge, 3), (self.mark, 4),
                      (self.take_over, 2), (self.create, 1),
                      (self.rename, 1), (self.delete, .5)]

    def connect(self):
        self.client = Client(*self.account)
        self.imap = self.client.imap

    def step(self):
        deeds, weights = zip(*self.deeds)
        self.chance.choices(deeds, weights)[0]()

    def run(self):
        super().run()
        self.client.close()

    # The wire

    def wire(self, mailbox):
        if mailbox == "INBOX":
            return mailbox
        return self.prefix + mailbox.replace("/", self.separator)

    def quoted(self, mailbox):
        return Client.quoted(self.wire(mailbox))

    def command(self, what, token, detail, call):
        """True if the server said OK."""
        with self.history.call(self.name, what, token, detail) as row:
            kind, answer = call()
        if kind != "OK":
            row[6] = f"{kind} {answer}"
        return kind == "OK"

    def must(self, what, token, detail, call):
        if not self.command(what, token, detail, call):
            raise Fault(f"{what} {detail} is refused", token)

    def select(self, mailbox):
        """Dovecot ends a session now and then; here that changes nothing."""
        try:
            return self.imap.select(mailbox)
        except imaplib.IMAP4.abort as error:
            self.history.note(self.name, "session", "", f"ended: {error}")
            self.connect()
            return self.imap.select(mailbox)

    def uid(self, message, is_needed=True):
        """It is there just once, for nobody else touches it."""
        self.must("select", "", message.mailbox,
                  lambda: self.select(self.quoted(message.mailbox)))
        _, found = self.imap.uid("SEARCH", "HEADER", "Message-ID",
                                 f"<{message.token}@chaos>")
        uids = (found[0] or b"").split()
        if len(uids) != 1 and (uids or is_needed):
            raise Fault(f"{self.name} finds {message} as {uids}",
                        message.token)
        return uids[0].decode() if uids else None

    def erase(self, message, uid):
        self.must("delete", message.token, message.mailbox,
                  lambda: self.imap.uid("STORE", uid, "+FLAGS.SILENT",
                                        r"(\Deleted)"))
        self.must("expunge", message.token, message.mailbox,
                  lambda: self.imap.uid("EXPUNGE", uid) if self.has_uidplus
                  else self.imap.expunge())

    # Messages

    def pick(self):
        return self.chance.choice(self.mine) if self.mine else None

    def places(self, token):
        """Mailboxes that have no copy of it."""
        taken = {m.mailbox for m in self.mine if m.token == token}
        return [name for name in (*self.mailboxes, *self.own)
                if name not in taken]

    def append(self):
        self.count += 1
        token = f"{self.name}-{self.count}"
        is_left = self.chance.random() < 0.3
        mailbox = self.chance.choice(
            self.mailboxes if is_left else self.places(token))
        flags = self.chance.choice(["", "", "S", "FS", "R"])
        message = Message(token, "ours" if is_left else "theirs", mailbox,
                          flags)
        self.leave()
        self.must("append", token, f"{mailbox} {flags} {message.kind}",
                  lambda: (("OK" if self.client.append(
                      self.wire(mailbox), body(token).replace(b"\n", b"\r\n"),
                      wire_flags(flags), time.time()) else "NO"), ""))
        self.ledger.add(message)
        if not is_left:
            self.mine.append(message)

    def flag(self):
        message = self.pick()
        if message is None:
            return
        uid = self.uid(message)
        letters = "".join(letter for letter in "DFRS"
                          if self.chance.random() < 0.5)
        self.must("flag", message.token, letters, lambda: self.imap.uid(
            "STORE", uid, "FLAGS.SILENT", f"({wire_flags(letters)})"))
        message.flags = letters

    def copy(self):
        self.transfer("COPY")

    def move(self):
        self.transfer("MOVE" if self.has_move else None)

    def transfer(self, command):
        message = self.pick()
        targets = self.places(message.token) if message else []
        if not targets:
            return
        target = self.chance.choice(targets)
        uid = self.uid(message)
        self.must(command or "move", message.token,
                  f"{message.mailbox} {target}", lambda: self.imap.uid(
                      command or "COPY", uid, self.quoted(target)))
        if command == "COPY":
            copy = Message(message.token, "theirs", target, message.flags)
            self.mine.append(self.ledger.add(copy))
            return
        if command is None:
            self.erase(message, uid)
        message.mailbox = target

    def expunge(self):
        message = self.pick()
        if message is None:
            return
        self.erase(message, self.uid(message))
        self.forget([message])

    def forget(self, messages):
        with self.ledger.lock:
            for message in messages:
                message.is_alive = False
                self.mine.remove(message)
                self.ledger.theirs.remove(message)

    def mark(self):
        """The one flag of merged messages that is ours to change."""
        with self.ledger.lock:
            found = [m for m in self.ledger.messages.values()
                     if m.kind == "merged" and m.marker == self.number]
        message = self.chance.choice(found) if found else None
        uid = message and self.uid(message, is_needed=False)
        if uid is None:
            return  # it is not here yet
        flags = self.chance.choice(["", "D"])
        self.must("mark", message.token, flags, lambda: self.imap.uid(
            "STORE", uid, ("+" if flags else "-") + "FLAGS.SILENT",
            r"(\Draft)"))
        message.their_flags = flags

    def take_over(self):
        """Of what was delivered: once the mount knows that it is here, lest a
        delivery be looked for where it is no more."""
        with self.ledger.hold(self.chance,
                              lambda m: m.kind == "ours") as message:
            if message is None or not self.mount.is_synced(message):
                return
            self.mine.append(self.ledger.give_away(message))
            self.history.note(self.name, "take over", message.token)

    # Mailboxes

    def create(self):
        if len(self.own) == 3:
            return
        self.count += 1
        parent = self.chance.choice([None, None, *self.own])
        name = f"{self.name}-box{self.count}"
        if parent and "/" not in parent:
            name = f"{parent}/{name}"
        if self.command("create", "", name, lambda: self.imap.create(
                self.quoted(name))):
            self.own.append(name)

    def is_below(self, mailbox, name):
        return mailbox == name or mailbox.startswith(name + "/")

    def rename(self):
        if not self.own:
            return
        self.count += 1
        old = self.chance.choice(self.own)
        new = f"{self.name}-box{self.count}"
        self.leave()
        if not self.command("rename", "", f"{old} {new}",
                            lambda: self.imap.rename(self.quoted(old),
                                                     self.quoted(new))):
            return
        self.own = [new + name[len(old):] if self.is_below(name, old)
                    else name for name in self.own]
        for message in self.mine:
            if self.is_below(message.mailbox, old):
                message.mailbox = new + message.mailbox[len(old):]

    def delete(self):
        leaves = [name for name in self.own if not any(
            other.startswith(name + "/") for other in self.own)]
        if not leaves:
            return
        name = self.chance.choice(leaves)
        self.leave()
        if self.command("drop", "", name, lambda: self.imap.delete(
                self.quoted(name))):
            self.own.remove(name)
            self.forget([m for m in self.mine if m.mailbox == name])

    def leave(self):
        """No mailbox is selected any more; for one that goes confuses servers,
        and Courier appends to none.  To close one that may be written to would
        expunge what others marked."""
        self.imap.select("INBOX", readonly=True)
        self.imap.close()
