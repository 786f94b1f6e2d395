"""A server that is stopped, and then killed, while programs read, flag and
deliver: all of them go on, and all of it arrives.

MAILMOUNT_AWAY_S: for how long each (5 s).
"""
import os
import signal
import threading
import time

import pytest
from conftest import account
from servers.client import Client
from servers.corpus import HEAD
from servers.dovecot import Dovecot
from servers.process import wait_until

AWAY_S = float(os.environ.get("MAILMOUNT_AWAY_S", "5"))
TIMEOUT_S = 2
SLACK_S = 3  # of a machine that has much else to do
COUNT = 10  # messages that were read before; and in another mailbox, not


class Program(threading.Thread):
    """Does something again and again, and notes how long it took."""

    def __init__(self, step):
        super().__init__(daemon=True)
        self.step = step
        self.rounds = 0
        self.slowest = 0
        self.refused = 0
        self.fault = None
        self.is_over = threading.Event()

    def run(self):
        while not self.is_over.wait(0.05):
            began = time.monotonic()
            try:
                self.step(self.rounds)
            except OSError:
                self.refused += 1
            except Exception as fault:  # told in the test's own thread
                self.fault = fault
                return
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.rounds += 1

    def end(self, limit):
        self.is_over.set()
        self.join()
        if self.fault:
            raise self.fault
        assert self.slowest < limit
        assert self.rounds > 2


class Desk:
    """What programs do in a mailbox."""

    def __init__(self, inbox, unread):
        self.inbox = inbox
        self.sent = []
        self.cached = sorted(inbox.files())
        self.uncached = sorted(unread.files())
        assert len(self.cached) == len(self.uncached) == COUNT
        self.bodies = {self.identity(path): path.read_bytes()
                       for path in self.cached}
        self.flagged = {identity: False for identity in self.bodies}

    @staticmethod
    def identity(path):
        return path.name.partition(":")[0]

    def read(self, _):
        """What was read before can be read; whatever its flags are now."""
        found = {self.identity(path): path for path in self.inbox.files()}
        for identity, body in self.bodies.items():
            try:
                assert found[identity].read_bytes() == body
            except FileNotFoundError:
                pass  # it has other flags by now

    def wait_for_the_server(self, number):
        self.uncached[number % COUNT].read_bytes()

    def flag(self, number):
        identity = self.identity(self.cached[number % COUNT])
        self.flagged[identity] = not self.flagged[identity]
        old, new = ("S", "FS") if self.flagged[identity] else ("FS", "S")
        os.rename(self.inbox.path / f"cur/{identity}:2,{old}",
                  self.inbox.path / f"cur/{identity}:2,{new}")

    def deliver(self, number):
        body = b"Subject: mine %d\n\nhello\n" % number
        (self.inbox.path / f"tmp/{number}.d").write_bytes(body)
        os.link(self.inbox.path / f"tmp/{number}.d",
                self.inbox.path / f"new/{number}.d")
        os.unlink(self.inbox.path / f"tmp/{number}.d")
        self.sent.append(body.replace(b"\n", b"\r\n"))


@pytest.fixture
def own(base, pem, user):
    server = Dovecot(base / f"own-{user}", pem).start()
    yield server
    server.stop()


@pytest.mark.timeout(120 + 4 * AWAY_S)
def test_programs_go_on_and_all_arrives(own, authority, daemons, user):
    with Client(own.port, user, own.password) as client:
        for number in range(COUNT):
            for mailbox in ("INBOX", "Sent"):
                assert client.append(
                    mailbox, HEAD % b"old" + b"line\r\n" * number, r"\Seen",
                    1_700_000_000 + number)
    daemon = daemons(**{**account(authority, own, user), "interval": "1s",
                        "timeout": f"{TIMEOUT_S}s"})
    daemon.watchdog_s += 4 * AWAY_S
    daemon.start()
    wait_until((daemon.mount / "Sent").exists, "the mailboxes")
    desk = Desk(daemon.folder(), daemon.folder("Sent"))
    programs = [Program(step) for step in (
        desk.read, desk.flag, desk.deliver, desk.wait_for_the_server)]
    os.killpg(own.process.pid, signal.SIGSTOP)
    try:
        for program in programs:
            program.start()
        time.sleep(AWAY_S)
    finally:
        os.killpg(own.process.pid, signal.SIGKILL)
    time.sleep(AWAY_S)
    for program in programs[:3]:
        program.end(SLACK_S)
        assert program.refused == 0
    programs[3].end(TIMEOUT_S + SLACK_S)
    assert programs[3].refused > 0  # it was asked what it cannot know
    own.stop()
    own.start()
    assert daemon.command("sync", "--timeout=60s", timeout=70).returncode == 0
    with Client(own.port, user, own.password) as client:
        wait_until(lambda: len(client.messages("INBOX")) ==
                   COUNT + len(desk.sent), "all messages", 20)
        found = client.messages("INBOX").values()
        assert sorted(body for body, _, _ in found
                      if b"mine" in body) == sorted(desk.sent)
        there = {date: r"\Flagged" in flags for _, flags, date in found}
    for identity, is_flagged in desk.flagged.items():
        assert there[int(identity.split(".")[0])] == is_flagged, identity
    for path in desk.uncached:
        assert path.read_bytes()
