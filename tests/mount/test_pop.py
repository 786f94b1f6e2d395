"""POP3: what the server holds, the mount shows; and the drop stays free."""
import collections
import contextlib
import os
import re
import time

import pytest
from daemon import NAME, Daemon
from servers import corpus, pop3, process
from servers.client import lf
from servers.pop3 import Pop
from servers.proxy import Proxy

COPY = b"From: Ada <ada@example.org>\nSubject: twice\n\nTwo of these.\n"
DATED = (b"Received: from a by b; Tue, 14 Nov 2023 22:13:20 +0000\n"
         b"Date: Mon, 1 Jan 2001 00:00:00 +0000\nSubject: dated\n\nx\n")


# What a server cannot have in its drop and still serve the others.
SPOILERS = {
    "solid": {"no final newline", "ends with CR", "one byte"},
    "mailutils": {"CR at 64 kB"},
}


def messages(server):
    """With LF line ends, as in a file."""
    odd = [body.replace(b"\r\n", b"\n") for name, body in corpus.ODD.items()
           if name not in SPOILERS.get(server, set()) | {"empty"}]
    return [COPY, COPY, DATED, *odd]


@pytest.fixture(scope="session", params=pop3.SERVERS)
def pop(request, base, pem):
    """Each real server in turn, with odd mail."""
    with contextlib.ExitStack() as stack:
        try:
            running = pop3.SERVERS[request.param](base, pem)
            stack.callback(running.stop)
            running.start()
        except process.Unavailable as why:
            pytest.skip(f"{request.param}: {why}")
        running.name = request.param
        running.put(messages(running.name))
        yield running


@pytest.fixture(scope="session")
def dovecot_pop(base, pem):
    server = pop3.DovecotPop(base / "pop-own", pem)
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def mounted(daemons):
    def mount(server, ca=None, **more):
        options = pop3.account(server, ca, **{
            key: more.pop(key) for key in ("user", "port") if key in more})
        return daemons(**{**options, **more}).start()
    return mount


def truth(server, user="bob"):
    """What a session gives; again until it finds the drop free."""
    for _ in range(100):
        with contextlib.suppress(PermissionError), \
                Pop(server.port, user) as session:
            bodies = session.bodies()
            session.quit()
            return bodies
        time.sleep(0.1)
    raise TimeoutError("the drop stays locked")


def counted(bodies):
    """Courier wraps 8-bit mail anew each time, between lines of its own."""
    return collections.Counter(re.sub(rb"=_\d+-\d+", b"", body)
                               for body in bodies)


def test_every_message_is_there_byte_for_byte(pop, mounted, authority):
    expected = counted(lf(body) for body in truth(pop))
    daemon = mounted(pop, authority.ca)
    assert daemon.folders() == ["INBOX"]
    found = counted(daemon.folder().bodies())
    missing, extra = expected - found, found - expected
    assert not missing and not extra, (
        [body[:80] for body in missing], [body[:80] for body in extra])
    for path in daemon.folder().files():
        assert path.stat().st_size == len(path.read_bytes())
    assert found[lf(next(iter(b for b in expected if b"Two of" in b)))] == 2
    # The drop is as it was.
    assert counted(map(lf, truth(pop))) == expected
