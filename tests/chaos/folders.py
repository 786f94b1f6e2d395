"""A program that makes mailboxes on a mount, fills them, renames and removes
them: nobody else works in them."""
import errno
import os

from chaos.messages import Message
from chaos.mounts import MountProgram
from chaos.programs import named


class Folders(MountProgram):
    pause_s = 0.3

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.own = []
        self.mine = []  # messages
        self.count = 0

    def step(self):
        deeds = {self.make: 2, self.fill: 5, self.flag: 3, self.take_out: 2,
                 self.rename_one: 2, self.remove: 1}
        self.chance.choices(list(deeds), list(deeds.values()))[0]()

    def number(self):
        self.count += 1
        return self.count

    def make(self):
        if len(self.own) == 4:
            return
        name = f"{self.name}-box{self.number()}"
        for place in ("", "cur", "new", "tmp"):
            path = self.mount.path(name, place)
            while not self.attempt("mkdir", "", path, lambda: os.mkdir(path),
                                   may={errno.EEXIST}) \
                    and not self.exists(path):
                pass
        self.own.append(name)

    def fill(self):
        if not self.own:
            return
        token = f"{self.name}-{self.number()}"
        message = Message(token, "theirs", self.chance.choice(self.own))
        if self.deliver(message, "new", token):
            self.mine.append(self.ledger.add(message))

    def pick(self):
        """A message in one of our mailboxes."""
        found = [m for m in self.mine if m.mailbox in self.own]
        return self.chance.choice(found) if found else None

    def flag(self):
        message = self.pick()
        if message:
            letters = self.chance.choice(["", "F", "S", "RS"])
            self.rename(message, message.mailbox, "cur",
                        named(message.token, letters))

    def take_out(self):
        """To where others are."""
        message = self.pick()
        if message:
            self.rename(message, self.chance.choice(self.mailboxes),
                        message.place, message.file)

    def rename_one(self):
        if not self.own:
            return
        old = self.chance.choice(self.own)
        new = f"{self.name}-box{self.number()}"
        paths = self.mount.path(old), self.mount.path(new)
        if not self.attempt("rename box", "", f"{old} {new}",
                            lambda: os.rename(*paths)) \
                and not self.became("", *paths):
            return
        self.own[self.own.index(old)] = new
        for message in self.mine:
            if message.mailbox == old:
                message.mailbox = new

    def remove(self):
        """One that is empty."""
        used = {m.mailbox for m in self.mine}
        empty = [name for name in self.own if name not in used]
        if not empty:
            return
        name = self.chance.choice(empty)
        for place in ("cur", "new", "tmp", ""):
            path = self.mount.path(name, place)
            while self.exists(path):
                self.clear(name, place)
                self.attempt("rmdir", "", path, lambda: os.rmdir(path),
                             may={errno.ENOENT})
        self.own.remove(name)

    def clear(self, name, place):
        """What a delivery left behind when the daemon died."""
        if place != "tmp":
            return
        while True:
            epoch = self.mount.up()
            try:
                for file in os.listdir(self.mount.path(name, place)):
                    os.unlink(self.mount.path(name, place, file))
                return
            except OSError as error:
                if self.mount.is_since(epoch) and \
                        error.errno != errno.ENOENT:
                    raise
                if self.mount.is_since(epoch):
                    return
