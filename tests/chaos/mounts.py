"""A mount whose daemon dies at random, and what programs on it must know."""
import errno
import os
import random
import threading

from chaos.history import Fault
from chaos.messages import body, name_letters
from servers import process

class Mount:
    """A daemon and its mount.  .epoch is even while it is up."""

    def __init__(self, daemon, history, name="daemon"):
        self.daemon = daemon
        self.history = history
        self.name = name
        self.epoch = 0

    def path(self, mailbox, place="", file=""):
        return os.path.join(self.daemon.mount, mailbox, place, file)

    def up(self):
        """Wait until it is up; returns the epoch."""
        process.wait_until(lambda: self.epoch % 2 == 0, "the mount")
        return self.epoch

    def is_since(self, epoch):
        """Was it up all the time?"""
        return self.epoch == epoch

    def is_synced(self, message):
        """Does it know that the server has all of it?"""
        path = self.path(message.mailbox, message.place, message.file)
        try:
            return os.getxattr(path, "user.mailmount.state") == b"synced"
        except OSError:
            return False

    def crash(self):
        """kill -9, and a new one over the dead mount."""
        self.epoch += 1
        self.history.note(self.name, "killed")
        self.daemon.kill()
        self.daemon.start()
        self.history.note(self.name, "up")
        self.epoch += 1


class Program(threading.Thread):
    """Does step() until all is over; what it finds wrong is a fault."""

    pause_s = 0.05

    def __init__(self, history, name, seed):
        super().__init__(name=name, daemon=True)
        self.history = history
        self.chance = random.Random(f"{seed} {name}")

    def step(self):
        raise NotImplementedError

    def run(self):
        try:
            while not self.history.is_over.wait(
                    self.chance.expovariate(1 / self.pause_s)):
                self.step()
        except Fault as fault:
            self.history.fault(f"{self.name}: {fault.args[0]}",
                               *fault.args[1:])
        except Exception as error:  # of the test itself
            import traceback
            self.history.fault(f"{self.name}: {error!r}\n"
                               + traceback.format_exc())


class MountProgram(Program):
    """One that works on a mount; it knows what happens when a daemon dies."""

    def __init__(self, history, name, seed, mount, ledger, mailboxes):
        super().__init__(history, name, seed)
        self.mount = mount
        self.ledger = ledger
        self.mailboxes = mailboxes

    def attempt(self, what, token, detail, call, may=()):
        """True: done; False: not, or the daemon died under it, who knows.
        may: how it may fail."""
        epoch = self.mount.up()
        try:
            with self.history.call(self.name, what, token, detail):
                call()
            return True
        except OSError as error:
            if self.mount.is_since(epoch) and error.errno not in may:
                raise Fault(f"{what} {detail}: {error}", token) from None
            return False

    def exists(self, path):
        while True:
            epoch = self.mount.up()
            try:
                os.lstat(path)
                return True
            except OSError as error:
                if self.mount.is_since(epoch):
                    if error.errno == errno.ENOENT:
                        return False
                    raise

    def became(self, token, old, new):
        """A rename was not answered: was it done?  One of both is there."""
        has_old, has_new = self.exists(old), self.exists(new)
        if has_old == has_new:
            raise Fault(f"{'both' if has_old else 'none'} of {old} and {new}",
                        token)
        self.history.note(self.name, "found", token,
                          "done" if has_new else "not done")
        return has_new

    def rename(self, message, mailbox, place, file):
        """Of a message that is ours alone; True if it was done."""
        old = self.mount.path(message.mailbox, message.place, message.file)
        new = self.mount.path(mailbox, place, file)
        if old == new:
            return False
        detail = (f"{message.mailbox}/{message.place}/{message.file} "
                  f"{mailbox}/{place}/{file}")
        if not self.attempt("rename", message.token, detail,
                            lambda: os.rename(old, new)) \
                and not self.became(message.token, old, new):
            return False
        message.mailbox, message.place, message.file = mailbox, place, file
        message.flags = name_letters(file)
        return True

    def deliver(self, message, place, file):
        """By tmp; True if it was done."""
        token = message.token
        source = self.mount.path(message.mailbox, "tmp", token)
        target = self.mount.path(message.mailbox, place, file)
        if not self.attempt("write", token, "", lambda: self.write(
                source, token)):
            return False
        if self.chance.random() < 0.5:
            done = self.attempt("deliver", token, target, lambda: os.rename(
                source, target)) or self.exists(target)
        else:
            done = self.attempt("link", token, target, lambda: os.link(
                source, target)) or self.exists(target)
            self.attempt("unlink tmp", token, source,
                         lambda: os.unlink(source), may={errno.ENOENT})
        if done:
            message.place, message.file = place, file
            self.history.note(self.name, "delivered", token,
                              f"{message.kind} {target}")
        return done

    def write(self, path, token):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(fd, body(token))
            if self.chance.random() < 0.5:
                os.fsync(fd)
        finally:
            os.close(fd)
