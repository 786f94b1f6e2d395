"""As mount(8) does it, for fstab: through mount.fuse3, from another program."""
import errno
import os
import pathlib
import shutil
import subprocess

import pytest
from daemon import PROGRAM, mounts
from servers import process


@pytest.fixture
def mount(mail):
    """Run mount.fuse3, or mount(8), which finds only what is installed."""
    program = pathlib.Path(shutil.which(PROGRAM))
    assert program.name == "mailmount"  # the type says what is run
    helper = shutil.which("mount.fuse3", path="/usr/sbin:/sbin:/usr/bin")
    assert helper, "mount.fuse3 is of the package fuse3"
    environment = dict(mail.environment)
    environment["PATH"] = f"{program.parent}:{environment['PATH']}"

    def run(words, account="test", by_mount=False):
        what = [account, mail.mount, "-t", "fuse.mailmount", "-o", words]
        if by_mount:
            what[0], what[3] = f"{program}#{account}", "fuse"
        return subprocess.run(["mount" if by_mount else helper, *what],
                              env=environment, text=True, capture_output=True,
                              timeout=30)
    yield run
    if mounts(mail.mount):
        pid = mail.status()[0]["pid"]
        done = mail.command("-u", mail.mount)
        assert done.returncode == os.EX_OK, done.stderr
        process.wait_until(lambda: not os.path.exists(f"/proc/{pid}"),
                           "the daemon's end")


def type_of(path):
    found = subprocess.run(["findmnt", "-n", "-o", "FSTYPE,OPTIONS", path],
                           capture_output=True, text=True, timeout=10)
    return found.stdout.split()


@pytest.mark.parametrize("by_mount", [False, True])
def test_a_line_of_fstab_mounts(mail, mount, messages, by_mount):
    if by_mount and os.geteuid() != 0:
        pytest.skip("mount(8) is for root")
    messages(3)
    elsewhere = mail.base / "other-config"
    mail.config.rename(elsewhere)
    done = mount(f"noauto,user,nofail,_netdev,x-gvfs-hide,config={elsewhere}",
                 by_mount=by_mount)
    assert done.returncode == os.EX_OK, done.stderr
    elsewhere.rename(mail.config)  # status looks here
    kind, options = type_of(mail.mount)
    assert kind == "fuse.mailmount"
    assert {"rw", "nosuid", "nodev"} <= set(options.split(","))
    assert len(mail.folder().files()) == 3
    (mail.folder().path / "tmp/x").write_bytes(b"")


def test_ro_lets_nobody_write(mail, mount, messages):
    messages(2)
    done = mount("ro")
    assert done.returncode == os.EX_OK, done.stderr
    assert "ro" in type_of(mail.mount)[1].split(",")
    [first, second] = mail.folder().files()
    assert len(first.read_bytes()) > 100
    path = mail.folder().path
    for change in (lambda: (path / "tmp/x").write_bytes(b""),
                   second.unlink, lambda: second.open("r+b"),
                   lambda: second.rename(path / "new/x"),
                   lambda: (mail.mount / "folder").mkdir()):
        with pytest.raises(OSError) as refused:
            change()
        assert refused.value.errno == errno.EROFS
    assert sorted(mail.folder().files()) == sorted([first, second])


@pytest.mark.parametrize("words, account, status, reason", [
    ("ro,nonsense", "test", os.EX_USAGE, "-o nonsense: no such mount option"),
    ("config=", "test", os.EX_USAGE, "-o config=: no such mount option"),
    ("config=/nonexistent", "test", os.EX_CONFIG, "/nonexistent"),
    ("rw", "nobody", os.EX_USAGE, "nobody"),
])
def test_a_wrong_line_says_what_is_wrong(mail, mount, words, account, status,
                                         reason):
    done = mount(words, account)
    assert done.returncode == status, done.stderr
    assert reason in done.stderr
    assert not mounts(mail.mount)
