"""Things that a program does to mail, at random, and what must come of them.

A Model is what there must be: it is what the mount shows at any time, and what
the server has in the end.  Each step is one call that is acknowledged or not.
"""
import collections
import copy
import os

from servers.client import lf

PLACES = ("cur", "new", "tmp")
FULL = "Full"  # a mailbox over its quota
IMAP = {r"\Seen": "S", r"\Flagged": "F", r"\Answered": "R", r"\Draft": "D"}

Mail = collections.namedtuple("Mail", "place name token is_refused")


def base(mail):
    return mail.name.partition(":2,")[0]


def letters(mail):
    return "".join(sorted(mail.name.partition(":2,")[2]))


def body(token):
    """No two are alike; of tokens that Steps draws, no two of one size."""
    return (f"Message-ID: <{token}@example.org>\nSubject: {token}\n\n"
            f"body {token} {'x' * (token % 997)}\n").encode()


def token_of(data):
    """Which body it is, whole; else it is none."""
    try:
        token = int(lf(data).split(b"\nbody ")[1].split()[0])
    except (IndexError, ValueError):
        return None
    return token if lf(data) == body(token) else None


class Model:
    """Mailboxes: {name: (places, [Mail])}, and how often what was deleted."""

    def __init__(self, names):
        self.places = {name: set(PLACES) for name in names}
        self.mails = {name: [] for name in names}
        self.deleted = collections.Counter()

    def copy(self):
        return copy.deepcopy(self)

    def mailboxes(self):
        """Those of the server, too."""
        return sorted(name for name, places in self.places.items()
                      if len(places) == len(PLACES))

    def drop(self, name, mail):
        self.mails[name].remove(mail)
        self.deleted[mail.token] += 1

    def all(self):
        return [(name, mail) for name, mails in self.mails.items()
                for mail in mails]

    def shown(self):
        """What the mount lists: of each mailbox its places, and names."""
        return {name: (self.places[name], sorted(
            (mail.place, mail.name) for mail in mails))
                for name, mails in self.mails.items()}

    def served(self):
        """What the server has: token and flags of each message."""
        return {name: sorted((mail.token, letters(mail))
                             for mail in self.mails[name]
                             if not mail.is_refused)
                for name in self.mailboxes()}


def shown(mount, ignored):
    """What the mount lists, as Model.shown()."""
    found = {}
    for name in os.listdir(mount):
        if name in ignored or name.startswith("."):
            continue
        there = set(os.listdir(mount / name)) & set(PLACES)
        found[name] = there, sorted(
            (place, file) for place in there - {"tmp"}
            for file in os.listdir(mount / name / place))
    return found


def served(client, ignored=()):
    """What the server has, as Model.served()."""
    return {name: sorted(
        (token_of(data) or data, "".join(sorted(
            IMAP[flag] for flag in flags if flag in IMAP)))
        for data, flags, _ in client.messages(name).values())
        for name in sorted(set(client.names()) - set(ignored))}


class Steps:
    """Draws steps.  Each is (what it is, do it, the model after it)."""

    def __init__(self, random, mount, reset):
        self.random, self.mount, self.reset = random, mount, reset
        self.count = 0
        self.tokens = 0
        self.next = []  # steps to come of one that has several

    def draw(self, model):
        if not self.next:
            kinds = [self.deliver, self.flag, self.take_note, self.move,
                     self.copy, self.delete, self.replace, self.make,
                     self.rename, self.overfill, self.renumber]
            weights = [6, 4, 2, 4, 3, 3, 3, 1, 1, 2, 1]
            while not self.next:
                self.count += 1
                step = self.random.choices(kinds, weights)[0](model)
                self.next = step if isinstance(step, list) else [step]
                self.next = [one for one in self.next if one]
        what, act, change = self.next.pop(0)
        after = model.copy()
        change(after)
        return what, act, after

    # What there is to choose from

    def _path(self, name, mail):
        return self.mount / name / mail.place / mail.name

    def _mailbox(self, model, but=()):
        return self.random.choice([name for name in model.mailboxes()
                                   if name not in (FULL, "Trash", *but)])

    def _mail(self, model, is_new=False):
        """A mailbox, and a mail in it; or None."""
        found = [(name, mail) for name in model.mailboxes()
                 for mail in model.mails[name] if name != FULL
                 and (not is_new or mail.place == "new")]
        return self.random.choice(found) if found else None

    def _token(self):
        self.tokens += 1
        return 997 * self.random.randrange(2 * 10 ** 5, 10 ** 6) + self.tokens

    def _new(self, place="new", flags=""):
        token = self._token()
        name = f"{token}.step" + (f":2,{flags}" if place == "cur" else "")
        return Mail(place, name, token, False)

    def _flags(self):
        return "".join(flag for flag in "FRS" if self.random.random() < 0.5)

    def _write(self, name, mail):
        path = self.mount / name / "tmp" / mail.name
        with path.open("wb", buffering=0) as out:
            out.write(body(mail.token))
            if mail.token % 2:
                os.fsync(out.fileno())
        return path

    # The steps

    def deliver(self, model, name=None, is_refused=False):
        name = name or self._mailbox(model)
        place = self.random.choice(("new", "new", "cur"))
        mail = self._new(place, self._flags())
        by_link = self.random.random() < 0.5

        def act():
            path = self._write(name, mail)
            (os.link if by_link else os.rename)(path, self._path(name, mail))
        return (f"deliver {mail.token} to {name}", act,
                lambda after: after.mails[name].append(
                    mail._replace(is_refused=is_refused)))

    def overfill(self, model):
        """A quota refusal; or a flag for what was refused."""
        if model.mails[FULL] and self.random.random() < 0.3:
            return self._to_cur(FULL, self.random.choice(model.mails[FULL]))
        return self.deliver(model, FULL, True)

    def _to_cur(self, name, mail, flags=None):
        flags = self._flags() if flags is None else flags
        now = mail._replace(place="cur", name=f"{base(mail)}:2,{flags}")
        if now == mail:
            return None

        def change(after):
            after.mails[name].remove(mail)
            after.mails[name].append(now)
        return (f"flag {mail.token} in {name} {now.name}", lambda: os.rename(
            self._path(name, mail), self._path(name, now)), change)

    def flag(self, model):
        found = self._mail(model)
        return found and self._to_cur(*found)

    def take_note(self, model):
        """new to cur."""
        found = self._mail(model, is_new=True)
        return found and self._to_cur(*found, flags="")

    def _other(self, model):
        """A mail, and a mailbox where it has no name yet."""
        found = self._mail(model)
        if not found:
            return None
        name, mail = found
        having = [name for name in model.mails if any(
            base(other) == base(mail) for other in model.mails[name])]
        try:
            return name, mail, self._mailbox(model, having)
        except IndexError:
            return None

    def move(self, model):
        found = self._other(model)
        if not found:
            return None
        name, mail, to = found

        def change(after):
            after.mails[name].remove(mail)
            after.mails[to].append(mail)
        return (f"move {mail.token} from {name} to {to}", lambda: os.rename(
            self._path(name, mail), self._path(to, mail)), change)

    def copy(self, model):
        found = self._other(model)
        if not found:
            return None
        name, mail, to = found
        return (f"copy {mail.token} from {name} to {to}", lambda: os.link(
            self._path(name, mail), self._path(to, mail)),
            lambda after: after.mails[to].append(mail))

    def delete(self, model):
        found = self._mail(model)
        if not found:
            return None
        name, mail = found
        return (f"delete {mail.token} in {name}", lambda: os.unlink(
            self._path(name, mail)), lambda after: after.drop(name, mail))

    def replace(self, model):
        found = self._mail(model)
        if not found:
            return None
        name, mail = found
        token = self._token()

        def act():
            path = self._write(name, self._new()._replace(token=token))
            os.rename(path, self._path(name, mail))

        def change(after):
            after.drop(name, mail)
            after.mails[name].append(mail._replace(token=token))
        return f"replace {mail.token} by {token} in {name}", act, change

    def make(self, model):
        name = f"m{self.count}"

        def add(after):
            after.places[name] = set()
            after.mails[name] = []
        return [(f"make {name}", (self.mount / name).mkdir, add)] + [
            (f"make {name}/{place}", (self.mount / name / place).mkdir,
             lambda after, place=place: after.places[name].add(place))
            for place in PLACES]

    def rename(self, model):
        """Of a mailbox."""
        try:
            name = self._mailbox(model, ["INBOX"])
        except IndexError:
            return None
        to = f"r{self.count}"

        def change(after):
            for kept in (after.places, after.mails):
                kept[to] = kept.pop(name)
        return (f"rename {name} to {to}", lambda: os.rename(
            self.mount / name, self.mount / to), change)

    def renumber(self, model):
        """Another UIDVALIDITY."""
        name = self._mailbox(model)
        return (f"number {name} anew", lambda: self.reset(name),
                lambda after: None)
