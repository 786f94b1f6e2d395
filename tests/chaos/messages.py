"""Messages that can be known again, and who may do what to which.

Every message has a token, and its body follows from that.  What a message is
to be is known exactly at any time, because each can be changed by one program
only:

    kept    nobody: it is there before all begins
    ours    programs on a mount, one at a time
    merged  it stays where it is; its flag D is a writer's, the others ours
    theirs  one writer
"""
import contextlib
import random
import re
import threading
import zlib

WRITERS = 4
WIRE_FLAGS = {"D": r"\Draft", "F": r"\Flagged", "P": "$Forwarded",
              "R": r"\Answered", "S": r"\Seen", "T": r"\Deleted"}
HEAD = ("From: {0} <{0}@example.org>\nSubject: {0}\n"
        "Message-ID: <{0}@chaos>\n\n")
TOKEN = re.compile(rb"^Message-ID: <(\S+)@chaos>", re.M)


def body(token):
    """With LF line ends."""
    chance = random.Random(zlib.crc32(token.encode()))
    lines = int(2 ** chance.uniform(0, 9)) * (40 if chance.random() < .02 else 1)
    return (HEAD.format(token) +
            f"line of {token} " * 2 + "\n" * 2 +
            f"{chance.getrandbits(200):050x}\n" * lines).encode()


def token_of(data):
    """Of a body; None: it is not one of ours, or not whole."""
    found = TOKEN.search(data[:1000])
    token = found and found.group(1).decode()
    return token if token and body(token) == data else None


def wire_flags(letters):
    return " ".join(WIRE_FLAGS[letter] for letter in letters)


def letters_of(flags):
    """Of flags on the wire."""
    return "".join(sorted(letter for letter, flag in WIRE_FLAGS.items()
                          if flag.lower() in {f.lower() for f in flags}))


def base_of(name):
    return name.rsplit(":2,", 1)[0]


def name_letters(name):
    return name.rsplit(":2,", 1)[1] if ":2," in name else ""


class Message:
    """.place and .file: where the mount shows it, once that is known;
    .version: of its name; .flags: letters, but for those of a merged message
    that are a writer's, .marker, and in .their_flags."""

    def __init__(self, token, kind, mailbox, flags=""):
        self.token = token
        self.kind = kind
        self.mailbox = mailbox
        self.flags = flags
        self.their_flags = ""
        self.marker = zlib.crc32(token.encode()) % WRITERS
        self.place = self.file = None
        self.version = 0
        self.is_busy = False
        self.is_alive = True

    def __repr__(self):
        return f"{self.token}({self.mailbox}/{self.place}/{self.file})"

    @property
    def letters(self):
        return "".join(sorted(self.flags + self.their_flags))

    def is_at(self, mailbox, place, file):
        return (self.mailbox, self.place, self.file) == (mailbox, place, file)


class Ledger:
    """All messages."""

    def __init__(self):
        self.lock = threading.Lock()
        self.messages = {}  # by token
        self.by_base = {}  # those of them that the mount has shown
        self.theirs = []  # of writers; of one token there may be several
        self.trashed = []  # rows of expected()
        self.perhaps = set()  # (mailbox, token): may be there, once

    def add(self, message):
        with self.lock:
            if message.kind == "theirs":
                self.theirs.append(message)
            else:
                self.messages[message.token] = message
        return message

    def see(self, message, place, file):
        """The mount shows it there, for the first time."""
        with self.lock:
            message.place, message.file = place, file
            self.by_base[base_of(file)] = message

    def give_away(self, message):
        """To a writer, that does with it what it likes."""
        with self.lock:
            del self.messages[message.token]
            del self.by_base[base_of(message.file)]
            given = Message(message.token, "theirs", message.mailbox,
                            message.flags)
            self.theirs.append(given)
        return given

    @contextlib.contextmanager
    def hold(self, chance, is_wanted):
        """One that nobody else works on now, or None."""
        with self.lock:
            found = [m for m in self.messages.values()
                     if m.is_alive and not m.is_busy and m.file
                     and is_wanted(m)]
            message = chance.choice(found) if found else None
            if message:
                message.is_busy = True
                message.version += 1
        try:
            yield message
        finally:
            if message:
                with self.lock:
                    message.version += 1
                    message.is_busy = False

    def snapshot(self):
        """{message: version} of those whose names nobody changes now."""
        with self.lock:
            return {m: m.version for m in self.messages.values()
                    if m.kind != "merged" and m.file and not m.is_busy}

    def find(self, file):
        with self.lock:
            return self.by_base.get(base_of(file))

    def remove(self, message, trash, is_known):
        """It was unlinked; trash: the mailbox it goes to, or None.  is_known:
        the server had all of it; else it may have had nothing."""
        with self.lock:
            message.is_alive = False
            if trash and is_known:
                self.trashed.append((trash, message.token, message.letters))
            elif trash:
                self.perhaps.add((trash, message.token))

    def expected(self, found):
        """[(mailbox, token, letters)] of all that is to be there; of found
        what may be."""
        with self.lock:
            rows = [(m.mailbox, m.token, m.letters)
                    for m in (*self.messages.values(), *self.theirs)
                    if m.is_alive]
            allowed = {row[:2]: row for row in found
                       if row[:2] in self.perhaps}
            return rows + self.trashed + list(allowed.values())
