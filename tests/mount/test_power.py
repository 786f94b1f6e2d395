"""The power fails: what had returned is there, whole.

A daemon has its directories on a disk of disks.py; others deliver to it; the
disk is copied at random instants; and another daemon, off line, is started on
each copy.

What a power cut takes depends on the file system, and on what it had to write
anyway.  So two more ways: a cut at the one instant that matters, made by a
fault point; and the system calls of the daemon, taken to the letter (see
syscalls.py).

Each sync of the daemon is left out in turn (MAILMOUNT_NO_SYNC, util/sync.h),
and one of the three must notice: MUTANTS says which.  docs/testing.md has what
each was seen to lose.
"""
import collections
import concurrent.futures
import contextlib
import itertools
import os
import pathlib
import random
import re
import shutil
import sys
import time

import deliver
import disks
import pytest
import syscalls
from conftest import account
from daemon import PROGRAM, Daemon, Folder
from servers import pop3, process
from servers.client import Client, lf

pytestmark = pytest.mark.campaign

NOWHERE = "imap://127.0.0.1:1"  # nobody listens there
SEED = int(os.environ.get("MAILMOUNT_POWER_SEED", time.time()))
COPIES = int(os.environ.get("MAILMOUNT_POWER_COPIES", "200"))
PAUSE_S = 0.05  # at most, between two copies
DELIVERERS = 3
# Enough for some checkpoints of the log.
DELIVERIES_MIN = 120

# Disk, on line, and the largest a small message is.
Weather = collections.namedtuple("Weather", "kind is_online size")
WEATHERS = [Weather("ext4", False, 6000), Weather("ext4", True, 6000),
            Weather("ext4 writeback", False, 30000),
            Weather("xfs", True, 6000)]
# Bodies that the log does not hold.
LARGE = 32 * 1024 + 1
LARGE_WEATHER = Weather("ext4", False, 3 * LARGE)


@contextlib.contextmanager
def deliverers(daemon, records, size):
    """Processes that deliver as long as it lasts."""
    inbox = daemon.mount / "INBOX"
    started = [process.start(
        [sys.executable, deliver.__file__, str(inbox), f"d{number}",
         str(record), str(size)], daemon.base.parent / "deliver.log")
        for number, record in enumerate(records)]
    try:
        yield
        for one in started:
            assert one.poll() is None, "a delivery failed"
    finally:
        for one in started:
            process.stop(one)


def returned(records):
    """The names whose deliveries have returned."""
    names = []
    for record in records:
        if record.exists():
            names += record.read_text().split("\n")[:-1]
    return names


def files(daemon):
    return {path.name: path for path in daemon.folder().files()}


def is_whole(path, expected):
    with contextlib.suppress(OSError):
        return path.read_bytes() == expected
    return False


def missing(disk, copy, names, size):
    """What a machine that comes up with copy does not have, of names, and what
    it has by halves, of any."""
    with disk.look(copy) as path:
        daemon = Daemon(path, server=NOWHERE, tls="none", user="u",
                        password="p")
        try:
            daemon.start()
            found = files(daemon)
            return [name for name in {*names, *found} if name not in found or
                    not is_whole(found[name], deliver.body(name, size))]
        finally:
            daemon.kill()
            daemon.unmount()


class Campaign:
    """Copies of one disk, and what is missing in them."""

    def __init__(self, base, options, weather, left_out=None):
        self.base, self.options, self.weather = base, options, weather
        self.left_out = left_out
        self.records = [base / f"record{n}" for n in range(DELIVERERS)]
        self.random = random.Random(SEED)
        self.copies = []  # (image, what had returned)

    def daemon(self, disk):
        """One that has listed INBOX, and will do without a sync."""
        daemon = Daemon(disk.path, **self.options, interval="1h")
        daemon.start()
        assert daemon.folder().files() == []
        assert daemon.stop() == 0
        if not self.weather.is_online:
            daemon.write_config({"test": dict(self.options, server=NOWHERE)})
        disks.run("sync", "-f", disk.path)
        if self.left_out:
            daemon.environment["MAILMOUNT_NO_SYNC"] = self.left_out
        return daemon.start()

    def run(self, count):
        """What is missing in so many copies, or one more: a list of each."""
        with disks.Disk(self.base, self.weather.kind) as disk:
            daemon = self.daemon(disk)
            try:
                with deliverers(daemon, self.records, self.weather.size):
                    names = []
                    while len(self.copies) < count or \
                            len(names) < DELIVERIES_MIN:
                        time.sleep(self.random.uniform(0, PAUSE_S))
                        names = returned(self.records)
                        # Slow deliveries are not copied more often.
                        if len(self.copies) <= \
                                count * len(names) / DELIVERIES_MIN:
                            self.copies.append((disk.copy(), names))
            finally:
                daemon.kill()
                daemon.unmount()
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                return list(pool.map(
                    lambda copy: missing(disk, *copy, self.weather.size),
                    self.copies))


@pytest.fixture(scope="module", autouse=True)
def power():
    base = process.make_base()
    why = disks.why_not(base)
    process.remove(base)
    if why:
        pytest.skip(why)


@pytest.fixture
def options(authority, dovecot, user):
    found = account(authority, dovecot, user)
    del found["tls_ca"]
    return dict(found, server=f"imap://localhost:{dovecot.port}", tls="none")


@pytest.fixture
def own_base():
    path = process.make_base()
    yield path
    process.remove(path)


@pytest.fixture
def campaign(own_base, options):
    return lambda *arguments: Campaign(own_base, options, *arguments)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("weather", WEATHERS, ids=lambda weather:
                         weather.kind + " on line" * weather.is_online)
def test_every_delivery_that_had_returned_is_there(campaign, weather, capsys):
    found = campaign(weather)
    lost = found.run(COPIES // len(WEATHERS))
    counts = [len(names) for _, names in found.copies]
    with capsys.disabled():
        print(f"\npower cut: {weather.kind}, {len(counts)} copies, with "
              f"{counts[0]} to {counts[-1]} deliveries, seed {SEED}")
    assert not any(lost), lost


# A cut behind the server's answer, before its outcome is saved.


@contextlib.contextmanager
def cut_when_answered(base, options, left_out, work):
    """Work on a daemon until it dies there; then another on the copy."""
    with disks.Disk(base, "ext4") as disk:
        daemon = Daemon(disk.path, **options)
        daemon.environment.update(
            MAILMOUNT_FAULT="push-answered:1:kill", MAILMOUNT_CLOCK_RATE="20",
            MAILMOUNT_NO_SYNC=left_out or "none")
        try:
            daemon.start(wait=False)
            work(daemon)
            process.wait_until(lambda: daemon.process.poll() is not None,
                               "a death", 20)
        finally:
            copy = disk.copy()
            daemon.kill()
            daemon.unmount()
        with disk.look(copy) as path:
            daemon = Daemon(path, **options)
            daemon.environment["MAILMOUNT_CLOCK_RATE"] = "20"
            try:
                yield daemon.start()
            finally:
                daemon.kill()
                daemon.unmount()


@pytest.fixture
def sent(own_base, options, dovecot, user):
    """Is what was sent there once?"""
    def run(left_out=None):
        def work(daemon):
            process.wait_until(daemon.is_up, "the mount")
            deliver.deliver(daemon.mount / "INBOX", "sent", 6000)
        with cut_when_answered(own_base, dict(options, interval="1h"),
                               left_out, work) as daemon:
            assert daemon.command("sync").returncode == os.EX_OK
        with Client(dovecot.port, user, dovecot.password) as client:
            bodies = [lf(body) for body, *_ in
                      client.messages("INBOX").values()]
        assert set(bodies) == {deliver.body("sent", 6000)}
        return len(bodies) == 1
    return run


@pytest.fixture
def taken(own_base, dovecot_pop, user):
    """Is what was taken off a POP3 server here?"""
    def run(left_out=None):
        bodies = [deliver.body(f"taken{n}", 6000) for n in range(3)]
        dovecot_pop.put(bodies, user)
        options = dict(pop3.account(dovecot_pop, user=user), keep="no",
                       interval="1s")
        with cut_when_answered(own_base, options, left_out,
                               lambda daemon: None) as daemon:
            with pop3.Pop(dovecot_pop.port, user) as session:
                assert session.bodies() == []
            found = files(daemon).values()
            return len(found) == len(bodies) and all(
                any(is_whole(path, body) for path in found)
                for body in bodies)
    return run


def test_what_was_sent_is_not_sent_again(sent):
    assert sent()


def test_what_was_taken_off_the_server_is_here(taken):
    assert taken()


# System calls.


@pytest.fixture
def trace(daemons, tmp_path):
    """A daemon makes its directories and reads INBOX; another, off line, does
    the work, which tells what has returned, and when.  Returns, of each, what
    was unsynced then."""
    if not shutil.which("strace"):
        pytest.skip("no strace")

    def end(daemon):
        assert daemon.command("-u", daemon.mount).returncode == os.EX_OK
        daemon.process.wait(30)
        daemon.kill()

    def run(options, nowhere, work, left_out):
        daemon = daemons(**options)
        if left_out:
            daemon.environment["MAILMOUNT_NO_SYNC"] = left_out
        shutil.rmtree(daemon.base / "state")
        traces = [tmp_path / "first", tmp_path / "second"]
        daemon.wrapper = syscalls.tracer(traces[0])
        daemon.start()
        assert len(daemon.folder().bodies()) == 1
        end(daemon)
        daemon.write_config({"test": dict(options, server=nowhere)})
        daemon.wrapper = syscalls.tracer(traces[1])
        daemon.start()
        ends = list(work(daemon.mount))
        end(daemon)
        return unsynced(daemon.base / "state", traces, ends)
    return run


def unsynced(state, traces, ends):
    disk = syscalls.Disk(state, ("/lock", "/control", "-shm"))
    calls = [call for trace in traces for call in syscalls.calls(trace)]
    left = {}
    for name, returned_at in ends:
        while calls and calls[0].ended <= returned_at:
            disk.do(calls.pop(0))
        left[name] = disk.unsynced()
    return left


def deliveries(mount):
    """Large ones: of a small one the log has all, in place of the file."""
    names = (f"d.{number}" for number in itertools.count())
    large = (name for name in names
             if len(deliver.body(name, 3 * LARGE)) >= LARGE)
    for name in itertools.islice(large, 12):
        yield name, deliver.deliver(mount / "INBOX", name, 3 * LARGE)
    path = mount / "INBOX/tmp/twice"
    with path.open("wb", buffering=0) as out:
        out.write(b"x: y\n" * LARGE)
        os.fsync(out.fileno())
        out.write(b"more\n")
    path.rename(mount / "INBOX/new/twice")
    yield "written to after it was synced", time.time()


def moves(mount):
    """To a mailbox that the server does not have: ours is the only copy."""
    for path in ("Here", "Here/cur", "Here/new", "Here/tmp"):
        (mount / path).mkdir()
    path, = Folder(mount / "INBOX").files()
    path.rename(mount / "Here/cur" / path.name)
    yield "a move", time.time()


@pytest.fixture
def delivered(trace, options, client):
    """Was all synced when a delivery returned?"""
    def run(left_out=None):
        assert client.append("INBOX", deliver.body("there", 2000))
        left = trace(dict(options, interval="1h"), NOWHERE, deliveries,
                     left_out)
        print(left)
        return not any(left.values())
    return run


@pytest.fixture
def moved(trace, dovecot_pop, user):
    """The same of a move."""
    def run(left_out=None):
        dovecot_pop.put([deliver.body("there", 2000)], user)
        options = dict(pop3.account(dovecot_pop, user=user), interval="1h")
        left = trace(options, "pop3://127.0.0.1:1", moves, left_out)
        print(left)
        return not any(left.values())
    return run


def test_nothing_is_unsynced_when_a_delivery_returns(delivered):
    assert delivered()


def test_nothing_is_unsynced_when_a_move_returns(moved):
    assert moved()


# And all this can fail.


@pytest.fixture
def copied(campaign):
    """Had copies of a disk all that had returned?"""
    def run(left_out):
        weather = LARGE_WEATHER if left_out == "file" else WEATHERS[0]
        return not any(campaign(weather, left_out).run(20))
    return run


# (What is left out, who notices.)
MUTANTS = [
    ("file", "copied"), ("log", "copied"), ("checkpoint", "delivered"),
    ("sent", "sent"), ("sent", "taken"), ("copy", "taken"),
    ("home", "delivered"), ("file-dirs", "delivered"),
    ("file-name", "delivered"), ("copy-name", "moved"),
]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("left_out, noticed_by", MUTANTS)
def test_a_sync_that_is_left_out_is_noticed(request, left_out, noticed_by):
    if b"MAILMOUNT_NO_SYNC" not in pathlib.Path(PROGRAM).read_bytes():
        pytest.skip("no fault points in this build")
    assert not request.getfixturevalue(noticed_by)(left_out)


def test_each_sync_is_left_out_once():
    root = pathlib.Path(__file__).parents[2]
    names = set()
    for path in root.glob("cache/*.c"):
        names |= set(re.findall(r'\b(?:\w+_)?sync_?\w*\([^;"]*"([a-z-]+)"\)',
                                path.read_text()))
    assert names - {"db-sync"} == {name for name, _ in MUTANTS}
