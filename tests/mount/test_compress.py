"""COMPRESS=DEFLATE, where it is asked for."""
import os

import pytest
from conftest import started
from servers.client import Client
from servers.corpus import HEAD
from servers.cyrus import Cyrus
from servers.dovecot import ZLIB, Dovecot
from servers.process import wait_until
from servers.proxy import Proxy

SERVERS = {
    "dovecot": lambda base, pem: Dovecot(base / "zlib", pem, extra=ZLIB),
    "cyrus": lambda base, pem: Cyrus(base / "zlib-cyrus", pem, base),
}


@pytest.fixture(scope="session", params=SERVERS)
def compressing(request, base, pem):
    with started(SERVERS, request.param, base, pem) as running:
        yield running


def prose(number):
    """About as mail is: half of it compresses well."""
    return HEAD % b"prose %d" % number + b"".join(
        b"line %d of message %d says %s\r\n" % (
            line, number, os.urandom(8).hex().encode()) for line in range(100))


def use(daemon, proxy, client):
    """Read, deliver, flag, move; bytes each way and what was there."""
    daemon.start()
    inbox, sent = daemon.folder("INBOX"), daemon.folder("Sent")
    wait_until(inbox.path.exists, "the mailbox")
    assert len(inbox.files()) == 50
    bodies = inbox.bodies()
    for number in range(20):
        (inbox.path / f"tmp/{number}.x").write_bytes(
            prose(100 + number).replace(b"\r\n", b"\n"))
        os.rename(inbox.path / f"tmp/{number}.x",
                  inbox.path / f"new/{number}.x")
    old = [path for path in inbox.files() if path.parent.name == "cur"]
    os.rename(old[0], str(old[0]) + "F")
    os.rename(old[1], sent.path / "cur" / old[1].name)
    assert daemon.command("sync").returncode == 0
    client.append("INBOX", HEAD % b"arrival" + b"here\r\n")
    wait_until(lambda: len(inbox.files()) == 70, "the arrival")
    assert daemon.stop() == 0
    return bodies, proxy.received, len(proxy.sent)


@pytest.mark.parametrize("more, is_small", [
    ({}, False), ({"compress": "yes"}, True),
    ({"compress": "yes", "disable": "COMPRESS=DEFLATE"}, False)],
    ids=["unasked", "asked", "disabled"])
def test_it_is_used_when_asked_for(compressing, daemons, more, is_small):
    with Client(compressing.port, "bob", compressing.password) as client, \
            Proxy(compressing.port) as proxy:
        for name in ("INBOX", "Sent"):
            if client.select(name, readonly=False):
                client.imap.store("1:*", "+FLAGS", r"(\Deleted)")
                client.imap.expunge()
        bodies = [prose(number) for number in range(50)]
        for body in bodies:
            assert client.append("INBOX", body, r"\Seen")
        daemon = daemons(server=f"imap://localhost:{proxy.port}", user="bob",
                         password=compressing.password, tls="none", **more)
        found, received, sent = use(daemon, proxy, client)
        assert found == sorted(body.replace(b"\r\n", b"\n")
                               for body in bodies)
        assert (b"COMPRESS DEFLATE" in proxy.sent) == is_small
        assert (b"UID FETCH" in proxy.sent) != is_small
        total = sum(map(len, bodies))
        assert (received < 0.6 * total) == is_small, received / total
        there = [body for body, _, _ in client.messages("INBOX").values()]
        assert len(there) == 70
        uploaded = [body for body in there if b"prose 1" in body[:300]]
        assert len(uploaded) > 20
        assert any(r"\Flagged" in flags
                   for flags in client.flags("INBOX").values())
        assert len(client.messages("Sent")) == 1
