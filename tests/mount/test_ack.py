"""With ack = server a delivery is answered by Dovecot."""
import errno
import os
import threading
import time

import pytest
from servers import process
from servers.client import Client, lf
from servers.dovecot import Dovecot
from servers.proxy import Proxy

MAIL = (b"From: a@example.org\nTo: b@example.org\nSubject: one\n"
        b"Message-ID: <%d@example.org>\n\nHello.\n")
QUOTA = """
mail_plugins = quota
plugin {
  quota = count:User quota
  quota_rule = *:storage=100K
  quota_vsizes = yes
}
"""


def put(inbox, name, body):
    path = inbox / "tmp" / name
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, body)
    os.fsync(fd)
    os.close(fd)
    return path


def bodies(client, name="INBOX"):
    return sorted(lf(m[0]) for m in client.messages(name).values())


def refused(call, *paths):
    """The errno with which a link or rename fails; nothing has changed."""
    source, target = paths
    before = os.stat(source)
    with pytest.raises(OSError) as error:
        call(source, target)
    after = os.stat(source)
    assert (after.st_ino, after.st_size, after.st_nlink) == \
        (before.st_ino, before.st_size, before.st_nlink)
    assert os.path.basename(target) not in os.listdir(target.parent)
    return error.value.errno


class Renaming(threading.Thread):
    """A rename that waits; error() is the errno it ended in, or None."""

    def __init__(self, *paths):
        super().__init__(daemon=True)
        self.paths = paths
        self.errno = None
        self.start()

    def run(self):
        try:
            os.rename(*self.paths)
        except OSError as error:
            self.errno = error.errno

    def error(self):
        self.join(30)
        assert not self.is_alive()
        return self.errno


def start(daemons, options):
    daemon = daemons(**options, ack="server", interval="5s")
    daemon.start()
    os.listdir(daemon.mount / "INBOX" / "new")
    return daemon


@pytest.fixture
def through(dovecot, user, daemons, options):
    """(daemon, proxy): what the daemon says to Dovecot passes a proxy."""
    with Proxy(dovecot.port) as proxy:
        yield start(daemons, dict(
            options, server=f"imap://localhost:{proxy.port}", tls="none",
            timeout="3s")), proxy


def test_who_was_answered_has_it_on_the_server(daemons, options, client):
    inbox = start(daemons, options).mount / "INBOX"
    for n in range(5):
        path = put(inbox, f"l{n}", MAIL % n)
        os.utime(path, (1500000000 + n, 1500000000 + n))
        os.link(path, inbox / "new" / f"l{n}")
        assert bodies(client) == [MAIL % i for i in range(n + 1)]
        os.unlink(path)
    os.rename(put(inbox, "r", MAIL % 9), inbox / "cur" / "r:2,FS")
    found = client.messages("INBOX").values()
    assert len(found) == 6
    assert sorted(m[2] for m in found)[:5] == \
        [1500000000 + n for n in range(5)]
    assert [m[1] - {r"\Recent"} for m in found if b"<9@" in m[0]] == \
        [{r"\Flagged", r"\Seen"}]
    os.rename(inbox / "cur" / "r:2,FS", inbox / "cur" / "r:2,S")
    assert sorted(os.listdir(inbox / "new")) == [f"l{n}" for n in range(5)]


def test_what_is_refused_keeps_its_source(base, pem, daemons, tmp_path):
    server = Dovecot(base / "quota", pem, extra=QUOTA)
    try:
        server.start()
        with Client(server.port, "q", server.password) as client:
            daemon = start(daemons, {
                "server": f"imap://localhost:{server.port}", "user": "q",
                "password": server.password, "tls": "none"})
            inbox = daemon.mount / "INBOX"
            os.rename(put(inbox, "fits", MAIL % 1), inbox / "new" / "fits")
            big = put(inbox, "big", MAIL % 2 + b"x" * 70 * 2000 + b"\n")
            nul = put(inbox, "nul", MAIL % 3 + b"a\0b\n")
            for call in (os.link, os.rename):
                assert refused(call, big, inbox / "new" / "big") == \
                    errno.EDQUOT
                assert refused(call, nul, inbox / "new" / "nul") == \
                    errno.EILSEQ
            assert bodies(client) == [MAIL % 1]
            assert daemon.status()[0]["refused"] == 0
            assert daemon.status()[0]["pending"] == 0
            assert os.listdir(inbox / "new") == ["fits"]
    finally:
        server.stop()


def test_without_a_server_nothing_is_delivered(through, client):
    daemon, proxy = through
    inbox = daemon.mount / "INBOX"
    path = put(inbox, "a", MAIL % 1)
    proxy.close()
    process.wait_until(lambda: not daemon.status()[0]["online"], "off line")
    for call in (os.link, os.rename):
        began = time.monotonic()
        assert refused(call, path, inbox / "new" / "a") in (
            errno.EHOSTUNREACH, errno.ETIMEDOUT)
        assert time.monotonic() - began < 6
    assert bodies(client) == []


def test_what_may_be_there_is_not_delivered_twice(through, client):
    """The server has it, and its answer does not come."""
    daemon, proxy = through
    inbox = daemon.mount / "INBOX"
    path = put(inbox, "a", MAIL % 1)
    proxy.stall_at(b"APPEND")
    os.rename(path, inbox / "new" / "a")  # it is in the journal
    process.wait_until(lambda: bodies(client), "the message")
    assert os.listdir(inbox / "new") == ["a"]
    proxy.resume()
    process.wait_until(lambda: daemon.status()[0]["pending"] == 0, "the end",
                       30)
    assert bodies(client) == [MAIL % 1]
    assert os.listdir(inbox / "new") == ["a"]


def test_a_killed_daemon_does_not_deliver_what_it_did_not_acknowledge(
        through, client):
    """What the caller delivers again is there once, sent before or not."""
    daemon, proxy = through
    for n in range(4):
        inbox = daemon.mount / "INBOX"
        path = put(inbox, f"k{n}", MAIL % n)
        if n % 2:
            proxy.stall_at(b"APPEND")
        else:
            proxy.stall_after(0)
        sent = proxy.sent.count(b"APPEND")
        waiting = Renaming(path, inbox / "new" / f"k{n}")
        if n % 2:
            process.wait_until(
                lambda: proxy.sent.count(b"APPEND") > sent, "the APPEND")
        daemon.kill()
        assert waiting.error() is not None
        proxy.resume()
        daemon.unmount()
        daemon.start()
        # It is where it was, unless it may be on the server.
        assert path.exists() == (n % 2 == 0)
        if path.exists():
            os.rename(path, inbox / "new" / f"k{n}")
        process.wait_until(lambda: daemon.status()[0]["pending"] == 0,
                           "the end", 30)
        assert bodies(client) == [MAIL % i for i in range(n + 1)]


def test_the_end_of_the_daemon_ends_the_wait(through, client):
    daemon, proxy = through
    inbox = daemon.mount / "INBOX"
    path = put(inbox, "a", MAIL % 1)
    proxy.stall_after(0)
    waiting = Renaming(path, inbox / "new" / "a")
    process.wait_until(lambda: daemon.status()[0]["pending"], "the delivery")
    began = time.monotonic()
    daemon.stop()
    assert waiting.error() == errno.EIO
    assert time.monotonic() - began < 2
    proxy.resume()
    daemon.start()
    assert os.listdir(inbox / "new") == []
    assert path.read_bytes() == MAIL % 1
