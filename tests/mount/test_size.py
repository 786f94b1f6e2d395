"""Whoever opens a message sees its exact size, opened before or not."""
import hashlib
import mmap
import multiprocessing
import os
import random
import subprocess
import tarfile
import time

import pytest
from servers.client import lf


def shell(command, *arguments):
    done = subprocess.run(["sh", "-c", command, "sh", *map(str, arguments)],
                          capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def by_fstat(path):
    with open(path, "rb") as f:
        return os.fstat(f.fileno()).st_size


def by_lseek(path):
    with open(path, "rb") as f:
        return f.seek(0, os.SEEK_END)


def by_mmap(path):
    with open(path, "rb") as f, \
            mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as found:
        return len(found[:].rstrip(b"\0"))


def by_shell(command):
    return lambda path: int(shell(command, path))


# Each is the first to open its message.
MEASURES = {
    "fstat": by_fstat,
    "lseek": by_lseek,
    "mmap": by_mmap,
    "wc -c": by_shell('wc -c < "$1"'),
    "wc -c FILE": by_shell('wc -c "$1" | cut -d" " -f1'),
    "cat": by_shell('cat "$1" | wc -c'),
    "dd": by_shell('dd if="$1" bs=64k status=none | wc -c'),
    "tail -c": by_shell('tail -c +1 "$1" | wc -c'),
    "stat after open": by_shell('exec < "$1"; stat -L -c %s /dev/stdin'),
}


@pytest.fixture
def untouched(mail, messages):
    """A mount of messages nobody has opened, listed with their claims."""
    bodies = messages(len(MEASURES) + 20, lines=40)
    mail.start()
    files = sorted(mail.folder().files())
    subprocess.run(["ls", "-l", mail.folder().path / "cur"], check=True,
                   capture_output=True)
    claims = [path.stat() for path in files]
    sizes = [len(body) for body in bodies]
    assert [claim.st_size for claim in claims] == sizes
    assert all(claim.st_blocks == 0 for claim in claims)
    return list(zip(files, map(lf, bodies)))


def test_first_open_knows_the_size(untouched):
    wrong = {}
    for (name, measure), (path, body) in zip(MEASURES.items(), untouched):
        found = measure(path)
        if found != len(body):
            wrong[name] = (found, len(body))
    assert not wrong


def test_exact_sizes_outlive_the_daemon(mail, untouched):
    path, body = untouched[0]
    assert path.read_bytes() == body
    assert mail.stop() == 0
    mail.start()
    assert path.stat().st_size == len(body)


def test_cp(untouched, tmp_path):
    for path, body in untouched[:8]:
        shell('cp -a "$1" "$2"', path, tmp_path / "x")
        assert (tmp_path / "x").read_bytes() == body


def test_tar(untouched, mail, tmp_path):
    shell('cd "$1" && tar cf "$2" .', mail.folder().path, tmp_path / "x.tar")
    with tarfile.open(tmp_path / "x.tar") as tar:
        for path, body in untouched:
            member = tar.extractfile(f"./cur/{path.name}")
            assert member.read() == body


def test_rsync_is_done_after_one_run(untouched, mail, tmp_path):
    cur = str(mail.folder().path / "cur") + "/"
    shell('rsync -a "$1" "$2"', cur, tmp_path)
    for path, body in untouched:
        assert (tmp_path / path.name).read_bytes() == body
    again = shell('rsync -a --out-format=%n "$1" "$2"', cur, tmp_path)
    assert not [line for line in again.splitlines() if line != b"./"]


def test_git_hash_object(untouched):
    for path, body in untouched[:8]:
        blob = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
        assert shell('git hash-object "$1"', path).decode().strip() == blob


def open_for(seconds, seed, files, wrong, opens):
    pick = random.Random(seed)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        path, size = pick.choice(files)
        try:
            with open(path, "rb") as f:
                opens.value += 1
                sizes = {os.fstat(f.fileno()).st_size, f.seek(0, os.SEEK_END),
                         len(os.pread(f.fileno(), size + 100, 0))}
        except OSError:
            wrong.value += 1
            continue
        if sizes != {size}:
            wrong.value += 1


def stat_for(seconds, directory):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for entry in os.scandir(directory):
            entry.stat()


def test_no_open_ever_sees_a_wrong_size(daemons, options, messages):
    """Six openers against two listers, with a cache too small to keep."""
    bodies = messages(300, lines=4000)
    daemon = daemons(**options, cache_size="1M").start()
    files = list(zip(map(str, sorted(daemon.folder().files())),
                     (len(lf(body)) for body in bodies)))
    opens = [multiprocessing.Value("i", 0) for _ in range(6)]
    wrong = [multiprocessing.Value("i", 0) for _ in range(6)]
    workers = [multiprocessing.Process(
        target=open_for, args=(10, n, files, wrong[n], opens[n]))
        for n in range(6)]
    workers += [multiprocessing.Process(
        target=stat_for, args=(10, daemon.folder().path / "cur"))
        for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert sum(n.value for n in opens) > 200
    assert sum(n.value for n in wrong) == 0
