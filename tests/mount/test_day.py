"""A laptop's day in half a minute: no restart, and what is here can be read
and added to all the time."""
import contextlib
import mmap
import os
import shutil
import struct
import threading
import time

import pytest
from servers import network, process
from servers.client import Client
from servers.corpus import HEAD
from servers.dovecot import Dovecot
from servers.oauth import Tokens
from servers.process import wait_until
from servers.proxy import Proxy

BODY = HEAD % b"cached" + b"line\r\n" * 100


class Programs(threading.Thread):
    """Reads, lists and looks at what is here, again and again."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder = folder
        self.body = self.folder.files()[0].read_bytes()
        self.rounds = 0
        self.slowest = 0
        self.faults = []
        self.is_over = threading.Event()

    def run(self):
        while not self.is_over.wait(0.02):
            began = time.monotonic()
            try:
                self._use()
            except OSError as error:
                self.faults.append(error)
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.rounds += 1

    def _use(self):
        cached, = [path for path in self.folder.files()
                   if path.name.startswith("1700000000.")]
        assert cached.read_bytes() == self.body
        assert cached.stat().st_size == len(self.body)


class Day:
    def __init__(self, base, authority, stack):
        self.authority = authority
        self.tokens = Tokens("bob")
        stack.callback(self.tokens.close)
        self.directory = base / "day"
        self.directory.mkdir()
        self.server = Dovecot(self.directory, authority.issue("day-1"),
                              extra=self.tokens.extra(self.directory))
        stack.callback(self.server.stop)
        self.server.start()
        self.proxy = stack.enter_context(Proxy(self.server.tls_port))
        self.token = base / "token"
        self.renew_token("morning")
        self.suspended = base / "suspended"
        self.suspended.write_bytes(struct.pack("q", 0))
        self.clock = mmap.mmap(os.open(self.suspended, os.O_RDWR), 8)
        self.sent = []
        with self.client() as client:
            assert client.append("INBOX", BODY, r"\Seen", 1_700_000_000)

    def client(self):
        return Client(self.server.port, "bob", self.server.password)

    def options(self):
        return {"server": f"imaps://localhost:{self.proxy.port}",
                "user": "bob", "token_command": f"cat {self.token}",
                "tls_ca": self.authority.ca, "timeout": "3s",
                "interval": "24h", "connections": 2}

    def start(self, daemon):
        daemon.environment["MAILMOUNT_SUSPENDED"] = str(self.suspended)
        self.daemon = daemon.start()
        self.inbox = daemon.folder()
        assert len(self.inbox.files()) == 1

    def renew_token(self, text):
        """The old one is refused from now on."""
        self.tokens.good = {text}
        self.token.write_text(text)

    def suspend(self, hours):
        self.proxy.freeze()
        slept, = struct.unpack("q", self.clock[:])
        self.clock[:] = struct.pack("q", slept + hours * 3600 * 1000)

    def use_certificate(self, pem):
        shutil.copy(pem, self.directory / "server.pem")
        self.server.stop()
        self.server.start()

    def deliver(self, name):
        text = b"Subject: %s\n\nfrom the mount\n" % name.encode()
        (self.inbox.path / "tmp" / name).write_bytes(text)
        os.rename(self.inbox.path / "tmp" / name,
                  self.inbox.path / "new" / name)
        self.sent.append(text.replace(b"\n", b"\r\n"))

    def expect_all(self, what):
        """What others append is seen, what was delivered is there."""
        with self.client() as client:
            count = len(self.inbox.files())
            body = HEAD % what.encode() + b"from elsewhere\r\n"
            assert client.append("INBOX", body, r"\Seen")
            wait_until(lambda: len(self.inbox.files()) == count + 1,
                       f"the arrival after {what}", 20)
            wait_until(lambda: self.there(client) == sorted(self.sent),
                       f"the deliveries after {what}", 20)
        wait_until(lambda: self.daemon.status()[0]["online"], what)

    @staticmethod
    def there(client):
        return sorted(body for body, _, _ in client.messages("INBOX").values()
                      if b"from the mount" in body)


def lose_token(day):
    """The server ends the session; the new token comes a little late."""
    day.tokens.good = {"noon"}
    asked = len(day.tokens.asked)
    day.proxy.cut()
    wait_until(lambda: len(day.tokens.asked) > asked, "a refusal")
    day.renew_token("noon")


def move(day):
    """To another network; nobody closes the connections of the old one."""
    day.proxy.freeze()
    network.add("10.9.8.7/32")


def restart_server(day):
    day.server.stop()
    day.deliver("while-away")
    day.server.start()


def forget_certificate(day):
    """It ends, is refused more often than a password may be, and is renewed."""
    day.use_certificate(day.authority.issue("day-expired", days=-1))
    for number in range(5):
        connections = len(day.proxy.connections)
        network.add(f"10.9.9.{number}/32")  # try again now
        wait_until(lambda: len(day.proxy.connections) > connections,
                   "another try")
    wait_until(lambda: "certificate" in day.daemon.status()[0]["failure"],
               "the reason")
    day.use_certificate(day.authority.issue("day-2"))


HOURS = {
    "token": lose_token,
    "suspension": lambda day: day.suspend(8),
    "network": move,
    "server": restart_server,
    "certificate": forget_certificate,
}


@pytest.mark.timeout(120)
def test_nothing_needs_a_restart(authority, daemons):
    base = process.make_base()
    with contextlib.ExitStack() as stack:
        stack.callback(process.remove, base)
        try:
            stack.enter_context(network.own())
        except process.Unavailable as why:
            pytest.skip(f"a network of one's own: {why}")
        day = Day(base, authority, stack)
        day.start(daemons(**day.options()))
        pid = day.daemon.process.pid
        programs = Programs(day.inbox)
        programs.start()
        for name, event in HOURS.items():
            day.deliver(f"before-{name}")
            event(day)
            day.deliver(f"after-{name}")
            day.expect_all(name)
        programs.is_over.set()
        programs.join()
        assert programs.faults == []
        assert programs.rounds > 50
        assert programs.slowest < 3
        assert day.daemon.process.pid == pid
        assert day.daemon.stop() == 0
