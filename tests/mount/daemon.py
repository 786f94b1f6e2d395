"""The daemon in a home of its own, and the Maildirs it shows."""
import json
import os
import pathlib
import re
import subprocess
import threading

from servers import process

PROGRAM = os.environ.get("MAILMOUNT", "mailmount")
NAME = re.compile(r"(-?\d+)\.([0-9a-f]{16})\.([^:]+)(?::2,([A-Z]*))?")
WATCHDOG_S = 120  # after that the daemon dies, and with it what hangs


def mounts(path):
    """The ids of what is mounted at path, the topmost last."""
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        fields = [line.split() for line in lines]
    return [field[0] for field in fields if field[4] == str(path)]


class Daemon:
    """One configuration; start() and stop() as often as one likes.

    options: the account's, "_" for "-".  accounts: {name: options}, for
    several; otherwise the one is called "test".
    """

    watchdog_s = WATCHDOG_S

    def __init__(self, base, accounts=None, **options):
        self.base = base
        self.mount = base / "mail"
        self.log = base / "log"
        self.process = None
        self.wrapper = []  # what it is started by
        for name in ("config", "state", "cache", "home", "mail", "run"):
            (base / name).mkdir(parents=True, exist_ok=True)
        self.environment = dict(
            os.environ, HOME=str(base / "home"),
            XDG_CONFIG_HOME=str(base / "config"),
            XDG_STATE_HOME=str(base / "state"),
            XDG_CACHE_HOME=str(base / "cache"),
            XDG_RUNTIME_DIR=str(base / "run"))
        self.config = base / "config/mailmount/config"
        self.config.parent.mkdir(exist_ok=True)
        self.write_config(accounts or {"test": options})

    def write_config(self, accounts):
        text = ""
        for name, options in accounts.items():
            text += f"[account {name}]\n"
            for key, value in options.items():
                text += f"{key.replace('_', '-')} = {value}\n"
        self.config.write_text(text)
        self.config.chmod(0o600)

    # Running it

    def command(self, *arguments, timeout=30):
        """Run mailmount to its end."""
        return subprocess.run([PROGRAM, *map(str, arguments)], text=True,
                              env=self.environment, capture_output=True,
                              timeout=timeout)

    def start(self, *arguments, wait=True):
        """Mount, in the foreground."""
        self.process = process.start(
            [*self.wrapper, PROGRAM, "-f", "-v", "-v", *arguments,
             str(self.mount)], self.log, env=self.environment)
        self.watchdog = threading.Timer(self.watchdog_s, self.process.kill)
        self.watchdog.daemon = True
        self.watchdog.start()
        if wait:
            process.wait_until(self._is_up, "the mount")
        return self

    def _is_up(self):
        assert self.process.poll() is None, self.log_text()
        return self.is_up()

    def is_up(self):
        try:
            os.statvfs(self.mount)  # a dead mount says ENOTCONN
        except OSError:
            return False
        return bool(mounts(self.mount))

    def stop(self, timeout=5):
        """End it; returns its exit status."""
        if self.process is None:
            return None
        self.process.terminate()
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = "killed: it did not end by itself"
        self.watchdog.cancel()
        self.process = None
        return status

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.watchdog.cancel()
        self.process = None

    def clean(self):
        """Whatever happened: no process and no mount stay."""
        if self.process:
            self.kill()
        self.unmount()
        process.remove(self.base)

    def unmount(self):
        """What a daemon left that was killed."""
        while mounts(self.mount):
            subprocess.run(["fusermount3", "-u", "-z", self.mount],
                           check=True, capture_output=True)

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def status(self):
        """A list of accounts; the exit status tells if all are on line."""
        answer = self.command("status", "--json")
        assert answer.returncode in (os.EX_OK, os.EX_UNAVAILABLE), \
            answer.stderr
        return json.loads(answer.stdout)

    # Looking at it

    def folder(self, name="INBOX"):
        return Folder(self.mount / name)

    def folders(self):
        """All Maildirs, as paths below the mount."""
        found = []
        for path, names, _ in os.walk(self.mount, onerror=unless_gone):
            if {"cur", "new", "tmp"} <= set(names):
                found.append(os.path.relpath(path, self.mount))
                names[:] = set(names) - {"cur", "new", "tmp"}
        return sorted(found)


def unless_gone(error):
    """A mailbox may go while we look."""
    if not isinstance(error, FileNotFoundError):
        raise error


class Folder:
    """A Maildir."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def files(self):
        """Paths of all messages, in the order of readdir."""
        return [self.path / place / name for place in ("new", "cur")
                for name in os.listdir(self.path / place)]

    def bodies(self):
        return sorted(path.read_bytes() for path in self.files())


def letters(path):
    """The flags in a message's name."""
    return NAME.fullmatch(path.name).group(4) or ""
