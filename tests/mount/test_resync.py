"""Coming back: after a while off line, a restart, a mailbox made anew."""
import os
import signal

import pytest
from conftest import account
from servers import process
from servers.client import Client
from servers.dovecot import Dovecot
from servers.process import wait_until
from servers.proxy import Proxy

MESSAGES = 3000
CHANGES = 10
WIRE_MAX = 64 * 1024
NEW = b"Subject: new\n\nhello\n"
BODY = b"Subject: %d\r\nFrom: a@example.org\r\n\r\nhello %d\r\n"


@pytest.fixture
def own(base, pem, user):
    """A Dovecot that the test may stop."""
    server = Dovecot(base / f"own-{user}", pem).start()
    yield server
    server.stop()


def fill(client, mailbox, count):
    """A thousand appends to a command: MULTIAPPEND."""
    for first in range(0, count, 1000):
        command = f"A1 APPEND {mailbox}".encode()
        for n in range(first, min(first + 1000, count)):
            body = BODY % (n, n)
            command += b' (\\Seen) "%02d-Jan-2020 10:00:00 +0000" {%d+}\r\n' \
                % (1 + n % 28, len(body)) + body
        client.imap.send(command + b"\r\n")
        while not (line := client.imap.readline()).startswith(b"A1 "):
            assert line
        assert line.startswith(b"A1 OK"), line


def snapshot(folder):
    """Of each message, by its name without flags: inode and body."""
    return {p.name.partition(":")[0]: (p.stat().st_ino, p.read_bytes())
            for p in folder.files()}


@pytest.mark.parametrize("disable", ["", "QRESYNC"])
def test_little_is_said_where_little_changed(dovecot, daemons, user, client,
                                             disable):
    fill(client, "INBOX", MESSAGES)
    with Proxy(dovecot.port) as proxy:
        daemon = daemons(server=f"imap://localhost:{proxy.port}", user=user,
                         password=dovecot.password, tls="none",
                         disable=disable or "X-NOTHING").start()
        inbox = daemon.folder()
        assert len(inbox.files()) == MESSAGES
        assert daemon.stop() == 0
        client.select("INBOX", readonly=False)
        client.imap.store("5:9", "+FLAGS", r"(\Flagged)")
        client.imap.store("20:24", "+FLAGS", r"(\Deleted)")
        client.imap.expunge()
        fill(client, "INBOX", CHANGES)
        proxy.forget()
        daemon.start()
        wait_until(lambda: len(inbox.files()) == MESSAGES + CHANGES - 5 and
                   sum(p.name.endswith(",FS") for p in inbox.files()) == 5,
                   "the changes")
        wire = len(proxy.sent) + proxy.received
        sent = bytes(proxy.sent)
        turns = proxy.turns_to_news()
    assert wire <= WIRE_MAX
    assert disable or turns <= 5
    lines = sent.splitlines()
    # Up to the first IDLE, of the mailbox with changes only.
    about_it = [line for line in lines if b"UID FETCH" in line
                or b"UID SEARCH" in line or b'SELECT "INBOX"' in line]
    assert len(about_it) <= (5 if not disable else 8), about_it


@pytest.mark.timeout(150)
def test_a_mailbox_made_anew_keeps_names_and_bodies(dovecot, daemons, user,
                                                    client):
    count = 5000
    client.create("Box")
    fill(client, "Box", count)
    with Proxy(dovecot.port) as proxy:
        daemon = daemons(server=f"imap://localhost:{proxy.port}", user=user,
                         password=dovecot.password, tls="none").start()
        box = daemon.folder("Box")
        wait_until(box.path.exists, "the mailbox")
        before = snapshot(box)
        assert len(before) == count
        assert daemon.stop() == 0
        client.create("Box2")
        fill(client, "Box2", count)
        client.imap.delete("Box")
        assert client.imap.rename("Box2", "Box")[0] == "OK"
        proxy.sent.clear()
        proxy.received = 0
        daemon.start()
        for name in ("1.x", "2.x"):
            (box.path / "tmp" / name).write_bytes(NEW)
            os.rename(box.path / "tmp" / name, box.path / "new" / name)
        wait_until(lambda: client.select("Box") == count + 2, "the deliveries")
        client.store("Box", 1, r"\Flagged")
        wait_until(lambda: any(p.name.endswith(":2,FS") for p in box.files()),
                   "a flag by its new key")
        after = snapshot(box)
        assert after.pop("1.x")[1] == after.pop("2.x")[1] == NEW
        assert after == before
        assert b"BODY.PEEK" not in proxy.sent
        # A line for each, of date, size and flags.
        assert proxy.received < 150 * count
    assert sum(body == NEW.replace(b"\n", b"\r\n") for body, _, _
               in client.messages("Box").values()) == 2


def test_a_server_that_is_away_or_stuck(own, authority, daemons, user):
    with Client(own.port, user, own.password) as client:
        fill(client, "INBOX", 3)
    asked = process.make_base() / "asked"
    options = account(authority, own, user)
    del options["password"]
    daemon = daemons(**{
        **options, "timeout": "2s", "interval": "1s",
        "password_command": f"echo >>{asked}; echo {own.password}"})
    daemon.start()
    inbox = daemon.folder()
    first = inbox.files()[0]
    body = first.read_bytes()
    uncached = inbox.files()[2]
    count = len(asked.read_bytes())

    os.killpg(own.process.pid, signal.SIGSTOP)  # it answers no more
    try:
        assert first.read_bytes() == body
        with pytest.raises(OSError):
            uncached.read_bytes()
        (inbox.path / "tmp/1.a").write_bytes(b"Subject: stuck\n\n1\n")
        os.rename(inbox.path / "tmp/1.a", inbox.path / "new/1.a")
    finally:
        os.killpg(own.process.pid, signal.SIGCONT)
    own.stop()
    (inbox.path / "tmp/1.b").write_bytes(b"Subject: away\n\n2\n")
    os.rename(inbox.path / "tmp/1.b", inbox.path / "new/1.b")
    assert len(inbox.files()) == 5
    assert first.read_bytes() == body
    own.start()

    def arrived():
        with Client(own.port, user, own.password) as client:
            found = [m[0] for m in client.messages("INBOX").values()]
        return sum(b"Subject: stuck" in m or b"Subject: away" in m
                   for m in found) >= 2
    wait_until(arrived, "what was delivered meanwhile", 30)
    with Client(own.port, user, own.password) as client:
        assert len(client.messages("INBOX")) == 5
    assert uncached.read_bytes()
    assert len(asked.read_bytes()) > count  # each login asks anew
    process.remove(asked.parent)
