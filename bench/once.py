#!/usr/bin/python3
"""What becomes of a message whose server takes it seconds after the connection
was lost: is it there once?

Usage: once.py BUILD [RUNS]

RUNS (5) times mbsync pushes a message, loses the connection behind the last
byte of APPEND, and runs again; then the server takes what it was sent first,
LATE_S seconds after the cut; then mbsync runs twice more.  The same for
mailmount, which is only left to itself.  Every figure printed was measured in
this run.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/mount")]
os.environ["MAILMOUNT"] = str(pathlib.Path(sys.argv[1]).resolve()
                              / "cli/mailmount")

from daemon import Daemon  # noqa: E402
from mbsync import prepare  # noqa: E402
from servers import process, tls  # noqa: E402
from servers.client import Client  # noqa: E402
from servers.cut import SENT, Cutter  # noqa: E402
from servers.dovecot import Dovecot  # noqa: E402

LATE_S = 4
MAIL = (b"From: a@example.org\nDate: Thu, 1 Jan 2015 00:00:00 +0000\n"
        b"Subject: once\nMessage-ID: <once@example.org>\n\n" +
        b"All work and no play makes Jack a dull boy.\n" * 100)


def copies(server, user):
    with Client(server.port, user, server.password) as client:
        return len(client.messages("INBOX"))


class Mbsync:
    """A Maildir, and mbsync that brings it to the server."""

    def __init__(self, server, cutter, user):
        self.base = process.make_base()
        for place in ("cur", "new", "tmp"):
            (self.base / "INBOX" / place).mkdir(parents=True)
        self.command = prepare(self.base, cutter.port, user,
                               server.password, "Sync All\n")
        self.run()  # it makes its state

    def run(self):
        return subprocess.run(self.command, capture_output=True,
                              text=True).returncode

    def deliver(self):
        (self.base / "INBOX/new/1.once").write_bytes(MAIL)

    def close(self):
        process.remove(self.base)


def last_piece(server):
    """In how many pieces mbsync sends an APPEND."""
    cutter = Cutter(server.port)
    mbsync = Mbsync(server, cutter, "measured")
    mbsync.deliver()
    cutter.arm(SENT, 1 << 62, is_of_command=True)
    assert mbsync.run() == 0
    ends = list(cutter.ends[SENT])
    mbsync.close()
    cutter.close()
    return 1 + next(number for number, end in enumerate(ends)
                    if end > len(MAIL))


def run_mbsync(server, user, piece):
    cutter = Cutter(server.port)
    mbsync = Mbsync(server, cutter, user)
    mbsync.deliver()
    cutter.arm(SENT, 0, is_of_command=True, is_late=True, piece=piece)
    failed = mbsync.run()
    assert cutter.disarm() and failed, "there was no cut"
    lost_at = time.monotonic()
    mbsync.run()
    time.sleep(max(0, lost_at + LATE_S - time.monotonic()))
    cutter.release()
    mbsync.run()
    mbsync.run()
    mbsync.close()
    cutter.close()
    return copies(server, user)


def run_mailmount(server, user):
    cutter = Cutter(server.port)
    daemon = Daemon(process.make_base(), user=user, tls="none",
                    server=f"imap://localhost:{cutter.port}",
                    password=server.password).start()
    try:
        inbox = daemon.mount / "INBOX"
        os.listdir(inbox / "new")
        cutter.arm(SENT, 0, is_of_command=True, is_late=True, piece=1)
        (inbox / "tmp/1.once").write_bytes(MAIL)
        os.rename(inbox / "tmp/1.once", inbox / "new/1.once")
        process.wait_until(lambda: cutter.was_cut, "the cut")
        time.sleep(LATE_S)
        cutter.release()
        done = daemon.command("sync", "--timeout", "120", timeout=150)
        assert done.returncode == 0, done.stderr
    finally:
        daemon.clean()
        cutter.close()
    return copies(server, user)


def report(name, found):
    doubled = sum(count > 1 for count in found)
    lost = sum(count == 0 for count in found)
    print(f"once, {name}: {len(found)} runs, {doubled} doubled, {lost} lost",
          flush=True)


def main():
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    base = process.make_base()
    server = Dovecot(base / "dovecot",
                     tls.Authority(base / "tls").issue("good"))
    try:
        server.start()
        if shutil.which("mbsync"):
            piece = last_piece(server)
            report("mbsync", [run_mbsync(server, f"mbsync{n}", piece)
                              for n in range(runs)])
        report("mailmount", [run_mailmount(server, f"mailmount{n}")
                             for n in range(runs)])
    finally:
        server.stop()
        process.remove(base)


main()
