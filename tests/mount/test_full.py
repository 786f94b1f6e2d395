"""A disk that is full: an error before anything is acknowledged, room left for
flags and removals, and nothing lost that was acknowledged."""
import errno
import os
import subprocess

import pytest
from servers import process
from servers.client import lf

SIZE_MB = 100 # of the file system that the state directory is on
NOWHERE = "imap://127.0.0.1:1"
BODY = (b"From: a@example.org\nSubject: %d\nMessage-ID: <%d@full>\n\n" +
        b"All work and no play makes Jack a dull boy.\n" * 4000)


@pytest.fixture
def small(mail):
    """The usual account, its state on a small file system of its own."""
    if not process.is_root():
        pytest.skip("needs root to mount a small file system")
    state = mail.base / "state"
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=700",
                    "tmpfs", state], check=True)
    yield mail
    if mail.process:
        mail.kill()
    mail.unmount()
    subprocess.run(["umount", state], check=True)


def deliver(folder, name, body):
    """As a delivery agent does, which believes each call."""
    path = folder / "tmp" / name
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            view = memoryview(body)
            while view:
                view = view[os.write(fd, view):]
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(path, folder / "new" / name)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def fill(folder):
    """Deliver until there is no room; {name: body} of what was acknowledged."""
    done = {}
    for number in range(1000):
        name, body = f"{number}.full", BODY % (number, number)
        try:
            deliver(folder, name, body)
        except OSError as error:
            assert error.errno == errno.ENOSPC
            assert name not in os.listdir(folder / "new")
            return done
        done[name] = body
    pytest.fail("the disk is never full")


def off_line(mail, options):
    """With the listing known, and all read once."""
    mail.start()
    mail.folder().bodies()
    assert mail.stop() == os.EX_OK
    mail.write_config({"test": {**options, "server": NOWHERE, "tls": "none"}})
    mail.start()


def flip(path):
    """Take \\Flagged away, or set it; the path it has then."""
    base, letters = path.name.split(":2,")
    flags = "".join(sorted(set(letters) ^ {"F"}))
    return path.rename(path.parent.parent / "cur" / f"{base}:2,{flags}")


def check(folder, done):
    found = {name: (folder / "new" / name).read_bytes()
             for name in os.listdir(folder / "new") if name.endswith(".full")}
    assert found == done


@pytest.mark.timeout(120)
def test_deliveries_leave_room_for_the_journal(small, options, client,
                                               messages):
    messages(30)
    off_line(small, options)
    folder = small.mount / "INBOX"
    done = fill(folder)
    assert len(done) > 300
    # Flags and removals go on, many of them.
    paths = sorted(small.folder().path.glob("cur/*"))
    assert len(paths) == 30
    for _ in range(11):
        paths = [flip(path) for path in paths]
    for path in paths[:5]:
        path.unlink()
    with pytest.raises(OSError) as raised:
        deliver(folder, "late", BODY % (0, 0))
    assert raised.value.errno == errno.ENOSPC
    # What was acknowledged is there, whatever dies.
    small.kill()
    small.unmount()
    small.start()
    check(folder, done)
    flagged = {path.name for path in small.folder().path.glob("cur/*")}
    assert flagged == {path.name for path in paths[5:]}
    # With room, all goes on.
    subprocess.run(["mount", "-o", f"remount,size={2 * SIZE_MB}m",
                    small.base / "state"], check=True)
    deliver(folder, "late.full", BODY % (1000, 1000))
    done["late.full"] = BODY % (1000, 1000)
    small.stop()
    small.write_config({"test": options})
    small.start()
    answer = small.command("sync", "--timeout", "60", timeout=90)
    assert (answer.returncode, answer.stderr) == (os.EX_OK, "")
    there = client.messages("INBOX").values()
    big = sorted(lf(body) for body, *_ in there if len(body) > 10_000)
    assert big == sorted(done.values())
    assert sum(r"\Flagged" in flags for _, flags, _ in there) == 25
    check(folder, done)


@pytest.mark.timeout(120)
def test_a_disk_that_others_fill_makes_no_lies(small, options, client,
                                               messages):
    """No room at all: each change fails, or is true for good."""
    messages(30)
    off_line(small, options)
    folder = small.mount / "INBOX"
    for number in range(3):
        deliver(folder, f"{number}.full", BODY % (number, number))
    ballast = small.base / "state/ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC
    done = {f"{n}.full": BODY % (n, n) for n in range(3)}
    names = set()
    failures = 0
    for path in small.folder().path.glob("cur/*"):
        try:
            names.add(flip(path).name)
        except OSError as error:
            assert error.errno in (errno.ENOSPC, errno.EIO), error
            names.add(path.name)
            failures += 1
    assert {path.name for path in small.folder().path.glob("cur/*")} == names
    with pytest.raises(OSError):
        deliver(folder, "late", BODY % (9, 9))
    small.kill()
    small.unmount()
    ballast.unlink()
    small.start()
    assert {path.name for path in small.folder().path.glob("cur/*")} == names
    check(folder, done)
    small.stop()
    small.write_config({"test": options})
    small.start()
    answer = small.command("sync", "--timeout", "30")
    assert (answer.returncode, answer.stderr) == (os.EX_OK, "")
    assert len(client.messages("INBOX")) == 33
