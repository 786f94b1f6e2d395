"""Programs on a mount: they deliver, flag, move, remove, and look."""
import errno
import os

from chaos.history import Fault
from chaos.messages import Message, base_of, name_letters, token_of
from chaos.mounts import MountProgram

# What a body that is not here may say while there is no line.
NO_LINE = {errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.ECONNRESET}


def named(base, letters):
    return f"{base}:2,{''.join(sorted(letters))}"


class Deliverer(MountProgram):
    """new/ and cur/, by rename and by link, with fsync and without."""

    pause_s = 0.15

    def __init__(self, *arguments, kinds=("ours", "ours", "merged")):
        super().__init__(*arguments)
        self.kinds = kinds
        self.count = 0

    def step(self):
        self.count += 1
        token = f"{self.name}-{self.count}"
        place = self.chance.choice(["new", "cur"])
        file = token if place == "new" else named(
            token, self.chance.choice(["", "S", "FS", "R"]))
        message = Message(token, self.chance.choice(self.kinds),
                          self.chance.choice(self.mailboxes),
                          name_letters(file))
        if self.deliver(message, place, file):
            self.ledger.add(message)
            self.ledger.see(message, place, file)


class Merging(MountProgram):
    """Sets flags of messages that others flag, too: the name may change under
    us, so it is looked for again and again."""

    def merge(self, message, base, own, wanted):
        """Of own letters it is to have those wanted."""
        while True:
            place, file = self.look(message, base)
            if place is None:
                return False
            letters = wanted | set(name_letters(file)) - set(own)
            new = named(base, letters)
            if (place, file) == ("cur", new):
                return True
            detail = f"{message.mailbox}/{place}/{file} {new}"
            if self.attempt("rename", message.token, detail,
                            lambda: os.rename(
                                self.mount.path(message.mailbox, place, file),
                                self.mount.path(message.mailbox, "cur", new)),
                            may={errno.ENOENT}):
                return True

    def look(self, message, base):
        """Place and name, or (None, None); new first, for nothing goes back
        there."""
        while True:
            epoch = self.mount.up()
            try:
                for place in ("new", "cur"):
                    for file in os.listdir(self.mount.path(message.mailbox,
                                                           place)):
                        if base_of(file) == base:
                            return place, file
            except OSError:
                if self.mount.is_since(epoch):
                    raise
                continue
            if self.mount.is_since(epoch):
                return None, None


class Flagger(Merging):
    """Renames to other flags."""

    pause_s = 0.05

    def step(self):
        with self.ledger.hold(self.chance, lambda m: m.kind in (
                "ours", "merged") and m.mailbox in self.mailboxes) as message:
            if message is None:
                return
            wanted = {letter for letter in "FPRS"
                      if self.chance.random() < 0.5}
            base = base_of(message.file)
            if message.kind == "ours":
                self.rename(message, message.mailbox, "cur", named(
                    base, wanted | set(message.flags) & {"D"}))
            elif self.merge(message, base, "FPRS", wanted):
                message.flags = "".join(sorted(wanted))
            else:
                raise Fault(f"{message} is not listed", message.token)


class Marker(Merging):
    """Changes the flag D of merged messages that came by another mount."""

    pause_s = 0.1

    def __init__(self, *arguments, lister, others):
        super().__init__(*arguments)
        self.lister = lister
        self.others = others  # a ledger

    def step(self):
        with self.others.lock:
            found = [m for m in self.others.messages.values()
                     if m.kind == "merged" and m.token in self.lister.names]
        if not found:
            return
        message = self.chance.choice(found)
        wanted = set(self.chance.choice(["", "D"]))
        if not self.merge(message, self.lister.names[message.token], "D",
                          wanted):
            raise Fault(f"{message} is not listed", message.token)
        message.their_flags = "".join(wanted)


class Mover(MountProgram):
    """mv to another mailbox, now and then with other flags."""

    pause_s = 0.1

    def step(self):
        with self.ledger.hold(self.chance, lambda m: m.kind == "ours" and
                              m.mailbox in self.mailboxes) as message:
            if message is None:
                return
            mailbox = self.chance.choice(self.mailboxes)
            place, file = message.place, message.file
            if self.chance.random() < 0.3:
                place, file = "cur", named(base_of(file), "FS")
            if mailbox != message.mailbox:
                self.rename(message, mailbox, place, file)


class Remover(MountProgram):
    """Unlinks.  Slowly, for many at once would be held back."""

    pause_s = 1.2

    def __init__(self, *arguments, trash=None):
        super().__init__(*arguments)
        self.trash = trash

    def step(self):
        with self.ledger.hold(self.chance, lambda m: m.kind == "ours" and
                              m.mailbox in self.mailboxes) as message:
            if message is None:
                return
            path = self.mount.path(message.mailbox, message.place,
                                   message.file)
            is_known = self.mount.is_synced(message)
            if self.attempt("unlink", message.token, path,
                            lambda: os.unlink(path)) or not self.exists(path):
                self.ledger.remove(message, self.trash, is_known)


class Lister(MountProgram):
    """Lists and reads all the time, and believes nothing."""

    pause_s = 0.01

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.listings = self.reads = 0
        self.names = {}  # token: base, of what was read

    def step(self):
        mailbox = self.chance.choice(self.mailboxes)
        known = self.ledger.snapshot()
        epoch = self.mount.up()
        shown = []
        try:
            with self.history.call(self.name, "list", "", mailbox):
                for place in ("new", "cur"):
                    files = os.listdir(self.mount.path(mailbox, place))
                    self.check_once(mailbox, place, files)
                    shown += [(place, file) for file in files]
        except OSError as error:
            if self.mount.is_since(epoch):
                raise Fault(f"list {mailbox}: {error}") from None
            return
        self.check(mailbox, shown, known)
        self.listings += 1
        for place, file in self.chance.sample(shown, min(2, len(shown))):
            self.read(mailbox, place, file)

    @staticmethod
    def check_once(mailbox, place, files):
        bases = [base_of(file) for file in files]
        for base in bases:
            if bases.count(base) > 1:
                raise Fault(f"{mailbox}/{place} shows twice: {base}", base)

    def check(self, mailbox, shown, known):
        """Those that nobody changed while we listed are just where they are
        to be; removed ones are not."""
        places = {}
        for place, file in shown:
            places.setdefault(base_of(file), []).append((place, file))
        with self.ledger.lock:
            for message, version in known.items():
                if message.version != version or message.is_busy or \
                        message.token not in self.ledger.messages:
                    continue
                found = places.get(base_of(message.file), [])
                is_here = message.is_alive and message.mailbox == mailbox
                wanted = [(message.place, message.file)] if is_here else []
                if found != wanted:
                    raise Fault(f"{mailbox} shows {found}, not {wanted}",
                                message.token)

    def read(self, mailbox, place, file):
        message = self.ledger.find(file)
        with self.ledger.lock:
            is_ours = message is not None and message.is_alive and \
                not message.is_busy and message.kind != "merged" and \
                message.is_at(mailbox, place, file)
            version = message.version if is_ours else None
        path = self.mount.path(mailbox, place, file)
        epoch = self.mount.up()
        token = message.token if message else ""
        try:
            with self.history.call(self.name, "read", token,
                                   f"{mailbox}/{place}/{file}"):
                with open(path, "rb") as opened:
                    data = opened.read()
                    size = os.fstat(opened.fileno()).st_size
        except OSError as error:
            is_ours = is_ours and version == message.version \
                and not message.is_busy
            if self.mount.is_since(epoch) and error.errno not in NO_LINE and \
                    (is_ours or error.errno not in (errno.ENOENT,
                                                    errno.ESTALE)):
                raise Fault(f"read {path}: {error}", token) from None
            return
        self.reads += 1
        found = token_of(data)
        if found is None or size != len(data) or (token and token != found):
            raise Fault(f"{path} ({size} bytes) reads {len(data)} bytes as "
                        f"{found}: {data[:200]}", token)
        self.names[found] = base_of(file)
        self.adopt(found, mailbox, place, file)

    def adopt(self, token, mailbox, place, file):
        """A writer left it to us; now we know its name."""
        with self.ledger.lock:
            message = self.ledger.messages.get(token)
            is_new = message is not None and message.file is None
        if is_new and message.mailbox == mailbox:
            self.history.note(self.name, "adopt", token,
                              f"{mailbox}/{place}/{file}")
            self.ledger.see(message, place, file)
