"""POP3: what is removed from a drop, when, and that it is here then."""
import contextlib
import os
import shutil
import socket
import time

import pytest
from drops import COPY, DATED, counted, messages, truth
from servers import pop3, process
from servers.client import lf
from servers.pop3 import Pop
from servers.proxy import Proxy


def drop(server, user):
    """Bodies on the server, with LF line ends; None while it is locked."""
    with contextlib.suppress(PermissionError), \
            Pop(server.port, user) as session:
        bodies = [lf(body) for body in session.bodies()]
        session.quit()
        return bodies
    return None


def wait_for_drop(server, user, expected):
    process.wait_until(lambda: drop(server, user) == expected, "the drop")


def numbered(count):
    return [b"Subject: %d\n\nbody %d\n" % (n, n) for n in range(count)]


def test_what_is_unlinked_goes_from_the_drop(dovecot_pop, mounted, user):
    bodies = numbered(5)
    dovecot_pop.put(bodies, user)
    daemon = mounted(dovecot_pop, user=user)
    for path in daemon.folder().files():
        if path.read_bytes() in bodies[1:3]:
            path.unlink()
    wait_for_drop(dovecot_pop, user, [bodies[0], *bodies[3:]])
    assert sorted(daemon.folder().bodies()) == [bodies[0], *bodies[3:]]


def test_read_only_removes_nothing(dovecot_pop, mounted, user):
    bodies = numbered(2)
    dovecot_pop.put(bodies, user)
    daemon = mounted(dovecot_pop, user=user, read_only="yes", keep="no")
    assert sorted(daemon.folder().bodies()) == bodies
    with contextlib.suppress(OSError):
        daemon.folder().files()[0].unlink()
    assert daemon.command("sync").returncode == os.EX_OK
    assert drop(dovecot_pop, user) == bodies


def holds(server, count):
    """Not every server locks the drop: nothing but the count is asked for."""
    with contextlib.suppress(PermissionError), Pop(server.port) as session:
        is_so = session.do("STAT").startswith(b"+OK %d " % count)
        return session.quit() and is_so
    return False


def test_keep_no_empties_every_server(pop, mounted, authority):
    """And the mail lives on here, without its server and without a cache."""
    expected = counted(lf(body) for body in truth(pop))
    daemon = mounted(pop, authority.ca, keep="no", interval="2s")
    try:
        process.wait_until(lambda: holds(pop, 0), "an empty drop", 40)
        assert counted(daemon.folder().bodies()) == expected
        names = sorted(path.name for path in daemon.folder().files())
        assert daemon.stop() == 0
        shutil.rmtree(daemon.base / "cache")
        daemon.start()
        assert sorted(path.name for path in daemon.folder().files()) == names
        assert counted(daemon.folder().bodies()) == expected
        for path in daemon.folder().files():
            assert path.stat().st_size == len(path.read_bytes())
    finally:
        pop.put(messages(pop.name))


def test_every_server_lets_go_of_what_is_unlinked(pop, mounted, authority):
    """One of two copies that popa3d cannot tell apart, and another."""
    expected = counted(lf(body) for body in truth(pop))
    daemon = mounted(pop, authority.ca, interval="2s")
    copies, others = [], []
    for path in daemon.folder().files():
        body = path.read_bytes()
        if b"Two of these" in body:
            copies.append((path, body))
        elif b"Subject: dated" in body:
            others.append((path, body))
    for path, body in (copies[0], *others):
        path.unlink()
        expected -= counted([body])
    try:
        process.wait_until(lambda: daemon.status()[0]["pending"] == 0,
                           "the deletions", 30)
        assert counted(daemon.folder().bodies()) == expected
        assert daemon.stop() == 0
        assert counted(map(lf, truth(pop))) == expected
    finally:
        pop.put(messages(pop.name))


def test_keep_days_takes_the_old(dovecot_pop, mounted, user):
    now = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime()).encode()
    young = b"Date: " + now + b"\nSubject: young\n\nx\n"
    dovecot_pop.put([DATED, young], user)
    daemon = mounted(dovecot_pop, user=user, keep="3d", interval="1s")
    wait_for_drop(dovecot_pop, user, [young])
    assert sorted(daemon.folder().bodies()) == sorted([DATED, young])


def test_keep_days_takes_the_old_from_every_server(pop, mounted, authority):
    expected = counted(lf(body) for body in truth(pop))
    old = counted(body for body in expected if b"Subject: dated" in body)
    assert sum(old.values()) == 1
    daemon = mounted(pop, authority.ca, keep="3d", interval="2s")
    try:
        process.wait_until(lambda: holds(pop, sum(expected.values()) - 1),
                           "the old to go", 40)
        assert counted(daemon.folder().bodies()) == expected
        assert daemon.stop() == 0
        assert counted(map(lf, truth(pop))) == expected - old
    finally:
        pop.put(messages(pop.name))


def test_flags_of_what_was_taken_stay(dovecot_pop, mounted, user):
    dovecot_pop.put(numbered(2), user)
    daemon = mounted(dovecot_pop, user=user, keep="no", interval="1s")
    wait_for_drop(dovecot_pop, user, [])
    first, second = daemon.folder().files()
    first.rename(first.parents[1] / "cur" / (first.name + ":2,FS"))
    second.unlink()
    for _ in range(2):
        left, = daemon.folder().files()
        assert left.name == first.name + ":2,FS"
        assert daemon.stop() == 0
        daemon.start()


def make_folder(daemon, name):
    for place in ("cur", "new", "tmp"):
        (daemon.mount / name / place).mkdir(parents=True)
    return daemon.folder(name)


def deliver(folder, name, body):
    temporary = folder.path / "tmp" / name
    temporary.write_bytes(body)
    temporary.rename(folder.path / "new" / name)


def test_local_mailboxes(dovecot_pop, mounted, user):
    bodies = numbered(3)
    dovecot_pop.put(bodies, user)
    daemon = mounted(dovecot_pop, user=user, interval="1s")
    local = make_folder(daemon, "Lists/music")
    deliver(local, "1700000000.M1P1.host", COPY)
    for path in daemon.folder().files():
        if path.read_bytes() == bodies[1]:  # its body is here now
            path.rename(local.path / "cur" / (path.name + ":2,S"))
    wait_for_drop(dovecot_pop, user, [bodies[0], bodies[2]])
    names = sorted(path.name for path in local.files())
    assert len(names) == 2 and names[0].endswith((":2,S", ".host"))
    assert daemon.status()[0]["refused"] == 0
    assert daemon.stop() == 0
    shutil.rmtree(daemon.base / "cache")
    daemon.start()
    assert sorted(path.name for path in local.files()) == names
    assert local.bodies() == sorted([COPY, bodies[1]])
    assert daemon.folder().bodies() == [bodies[0], bodies[2]]
    for path in local.files():
        path.unlink()
    shutil.rmtree(daemon.mount / "Lists")
    assert daemon.folders() == ["INBOX"]


def test_a_link_elsewhere_outlives_the_server(dovecot_pop, mounted, user):
    bodies = numbered(2)
    dovecot_pop.put(bodies, user)
    daemon = mounted(dovecot_pop, user=user, interval="1s")
    local = make_folder(daemon, "Kept")
    path, = (path for path in daemon.folder().files()
             if path.read_bytes() == bodies[0])
    os.link(path, local.path / "new" / path.name)
    with Pop(dovecot_pop.port, user) as session:
        assert session.do("DELE 1").startswith(b"+OK") and session.quit()
    process.wait_until(lambda: daemon.folder().bodies() == [bodies[1]],
                       "the deletion")
    shutil.rmtree(daemon.base / "cache")
    assert local.bodies() == [bodies[0]]


@pytest.mark.parametrize("point", ["keep-file:2", "file-create:3",
                                   "db-commit:30", "push-sent:1"])
def test_dying_while_it_is_taken(dovecot_pop, daemons, user, point):
    """In a build with fault points; in others nobody dies."""
    dovecot_pop.put(BODIES, user)
    options = dict(pop3.account(dovecot_pop, user=user), keep="no",
                   interval="1s")
    daemon = daemons(**options)
    daemon.environment["MAILMOUNT_FAULT"] = point + ":kill"
    daemon.start(wait=False)
    process.wait_until(lambda: daemon.process.poll() is not None or
                       drop(dovecot_pop, user) == [], "an end")
    daemon.kill()
    daemon.unmount()
    del daemon.environment["MAILMOUNT_FAULT"]
    daemon.start()
    wait_for_drop(dovecot_pop, user, [])
    assert daemon.folder().bodies() == BODIES


class CutAfter(Proxy):
    """Cuts once, when .left more bytes went by in either direction."""

    left = None

    def _copy(self, source, target, is_answer):
        try:
            while chunk := source.recv(65536):
                part, is_cut = self._part(chunk)
                target.sendall(part)
                if is_cut:
                    break
        except OSError:
            pass
        for s in (source, target):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def _part(self, chunk):
        with self.gate:
            if self.left is None:
                return chunk, False
            part = chunk[:self.left]
            self.left -= len(part)
            is_cut = len(part) < len(chunk)
            if is_cut:
                self.left = None
            return part, is_cut


BODIES = [b"Subject: %d\n\n%d\n" % (n, n) for n in range(3)]
AT_ONCE = 60  # accounts in one daemon, which takes 64
# Cut at each of so many bytes; see docs/testing.md.
EVERY = int(os.environ.get("MAILMOUNT_CUT_EVERY", "97"))
PLENTY = 1 << 30


@pytest.mark.timeout(1800)
def test_cut_anywhere(dovecot_pop, daemons, user):
    """Of sessions that list, fetch and delete: nothing lost, nothing twice."""
    with drops(dovecot_pop, daemons, user, [PLENTY]) as (_, (proxy,)):
        count = PLENTY - proxy.left
    assert count > 600  # a login, heads, bodies, deletions
    step = AT_ONCE * EVERY
    for first in range(0, count, step):
        with drops(dovecot_pop, daemons, f"{user}x",
                   range(first, first + step, EVERY)) as (daemon, proxies):
            look(daemon)
            assert daemon.stop(20) == 0
            daemon.start()
            look(daemon)
            left = [proxy.left for proxy in proxies if proxy.left is not None]
            # The last accounts may need less than was measured.
            assert not left or first + step >= count


def look(daemon):
    for name in daemon.folders():
        assert daemon.folder(name).bodies() == BODIES, name


@contextlib.contextmanager
def drops(server, daemons, prefix, counts):
    """An account for each count, after which it is cut; all ended well."""
    with contextlib.ExitStack() as stack:
        proxies = {f"{prefix}{count}": stack.enter_context(
            CutAfter(server.port)) for count in counts}
        for name in proxies:
            server.put([], name)
        daemon = daemons(accounts={
            name: {"server": f"pop3://localhost:{proxy.port}", "tls": "none",
                   "user": name, "password": server.password, "timeout": "5s",
                   "keep": "no", "interval": "1s"}
            for name, proxy in proxies.items()}).start()
        stack.callback(daemon.clean)
        process.wait_until(lambda: len(daemon.folders()) == len(proxies),
                           "the mailboxes")
        for name, count in zip(proxies, counts):
            server.add(BODIES, name)
            proxies[name].left = count
        boxes = [server.directory / "mail" / name / "Maildir"
                 for name in proxies]
        process.wait_until(lambda: not any(
            os.listdir(box / place) for box in boxes
            for place in ("new", "cur")), "empty drops", 30)
        yield daemon, proxies.values()
