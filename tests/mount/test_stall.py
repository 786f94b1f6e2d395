"""A server that stops in the middle stops only who waits for it."""
import errno
import os
import signal
import subprocess
import time

import pytest
from servers import process
from servers.client import lf
from servers.corpus import HEAD
from servers.proxy import Proxy

BIG = HEAD % b"big" + b"0123456789abcdef\r\n" * 60_000


@pytest.fixture
def stalled(dovecot, client, daemons, options):
    """(daemon, path of a cached message, path of one that will hang).

    The hanging body stops after 100 kB; timeout is 3 s.
    """
    small = HEAD % b"small" + b"x\r\n"
    assert client.append("INBOX", small, r"\Seen", 1_700_000_000)
    assert client.append("INBOX", BIG, r"\Seen", 1_700_000_001)
    client.create("Other")
    assert client.append("Other", small, r"\Seen", 1_700_000_000)
    with Proxy(dovecot.tls_port) as proxy:
        options = dict(options, timeout="3s",
                       server=f"imaps://localhost:{proxy.port}")
        daemon = daemons(**options).start()
        cached, hanging = sorted(daemon.folder().files())
        assert daemon.folder("Other").bodies() == [lf(small)]
        assert cached.read_bytes() == lf(small)
        process.wait_until(
            lambda: daemon.status()[0]["online"], "on line")
        proxy.stall_after(100_000)
        yield daemon, cached, hanging


def reading(path):
    """A cat that hangs; returns once the daemon has its request."""
    cat = subprocess.Popen(["cat", path], stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True)
    process.wait_until(
        lambda: open(f"/proc/{cat.pid}/wchan").read().startswith(
            ("request_wait", "fuse")) or cat.poll() is not None
        or _is_asleep(cat.pid), "a hanging cat")
    return cat


def _is_asleep(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        return f.read().rsplit(")", 1)[1].split()[0] in "SD"


def quickly(call, limit=0.5):
    began = time.monotonic()
    result = call()
    assert time.monotonic() - began < limit
    return result


def test_the_rest_goes_on(stalled):
    daemon, cached, hanging = stalled
    cat = reading(hanging)
    quickly(lambda: os.listdir(daemon.folder().path / "cur"))
    quickly(lambda: os.stat(hanging))
    assert quickly(cached.read_bytes).endswith(b"x\n")
    assert quickly(lambda: len(daemon.folder("Other").bodies())) == 1
    assert cat.poll() is None
    cat.kill()
    cat.wait()


def test_a_blocked_reader_can_be_killed(stalled):
    _, _, hanging = stalled
    for number in (signal.SIGKILL, signal.SIGINT):
        cat = reading(hanging)
        cat.send_signal(number)
        quickly(cat.wait, 1)


def test_an_open_fails_by_itself_at_timeout(stalled):
    _, cached, hanging = stalled
    began = time.monotonic()
    with pytest.raises(OSError) as caught:
        open(hanging, "rb")
    assert caught.value.errno in (errno.ETIMEDOUT, errno.EHOSTUNREACH)
    assert 2 < time.monotonic() - began < 8
    assert quickly(cached.read_bytes).endswith(b"x\n")


def test_sigterm_ends_it_with_requests_pending(stalled):
    daemon, _, hanging = stalled
    cat = reading(hanging)
    assert quickly(lambda: daemon.stop(), 2) == 0
    assert quickly(cat.wait, 1) != 0


def test_a_dead_mount_is_replaced(stalled):
    daemon, cached, _ = stalled
    daemon.kill()
    with pytest.raises(OSError) as caught:
        os.listdir(daemon.folder().path / "cur")
    assert caught.value.errno == errno.ENOTCONN
    daemon.start()
    assert quickly(cached.read_bytes).endswith(b"x\n")
