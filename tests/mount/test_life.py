"""Mistakes, restarts, lost directories, status: the daemon as a neighbour."""
import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
import time

import pytest
from daemon import PROGRAM, Folder, mounts
from servers import process
from servers.client import Client, lf
from servers.corpus import HEAD


@pytest.mark.parametrize("text, reason", [
    ("[account a]\nserver = imaps://h\nuser = u\n", "password"),
    ("[account a]\nuser = u\npassword = p\n", "server"),
    ("[account a]\nserver = ftp://h\nuser = u\npassword = p\n", ":2:"),
    ("[account a]\nserver = imaps://h\nuser = u\npassword = p\nx = 1\n",
     ":5:"),
    ("[account a]\nserver = imaps://h\nuser = u\npassword = p\n"
     "timeout = soon\n", ":5:"),
    ("[nonsense]\n", ":1:"),
    ("", "account"),
])
def test_config_mistakes_name_their_line(mail, text, reason):
    mail.config.write_text(text)
    done = mail.command(mail.mount)
    assert done.returncode != 0
    assert reason in done.stderr, done.stderr
    assert str(mail.config) in done.stderr


def test_no_config_says_how_to_begin(mail):
    mail.config.unlink()
    done = mail.command(mail.mount)
    assert done.returncode != 0
    assert "[account" in done.stderr and str(mail.config) in done.stderr


def test_a_second_daemon_is_refused(mail, messages):
    messages(1)
    mail.start()
    other = mail.base / "other"
    other.mkdir()
    done = mail.command(other)
    assert done.returncode == os.EX_TEMPFAIL
    assert str(mail.process.pid) in done.stderr
    assert len(mail.folder().files()) == 1


def test_background_and_unmount(mail, messages):
    messages(3)
    done = mail.command(mail.mount)
    assert done.returncode == 0, done.stderr
    pid = mail.status()[0]["pid"]
    assert len(mail.folder().files()) == 3
    assert mail.command("-u", mail.mount).returncode == 0
    process.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "its end")
    assert os.listdir(mail.mount) == []


@pytest.fixture
def volume(mail):
    """The mountpoint is one already: a disk of its own."""
    if not process.is_root():
        pytest.skip("only root can mount a volume")
    subprocess.run(["mount", "-t", "tmpfs", "volume", mail.mount], check=True)
    (mail.mount / "below").touch()
    yield
    mail.unmount()


@pytest.mark.parametrize("command", [
    [PROGRAM, "-u"], ["umount", "--lazy"], ["fusermount3", "-u", "-z"]])
def test_it_ends_though_a_container_has_a_copy(mail, volume, messages, command):
    messages(50)
    mail.start()
    process.wait_until(lambda: len(mounts(mail.mount)) == 2, "the mount")
    copy = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c",
         f"echo; while ls -lR {mail.mount} >/dev/null; do :; done; "
         f"ls {mail.mount}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True)
    assert copy.stdout.readline() == "\n"
    messages(50)  # there is news to tell the kernel
    subprocess.run([*command, mail.mount], check=True, env=mail.environment)
    assert mail.process.wait(5) == os.EX_OK
    assert "unmounted" in mail.log_text()
    assert os.listdir(mail.mount) == ["below"]
    _, told = copy.communicate(timeout=5)
    assert "Transport endpoint is not connected" in told


def test_it_ends_though_a_program_is_in_it(mail, messages):
    messages(1)
    mail.start()
    [path] = mail.folder().files()
    with path.open("rb") as file:
        assert mail.command("-u", mail.mount).returncode == os.EX_OK
        assert mail.process.wait(5) == os.EX_OK
        with pytest.raises(OSError):
            file.read()


def test_other_mounts_come_and_go(mail, messages):
    messages(1)
    mail.start()
    if not process.is_root():
        pytest.skip("only root can mount")
    for _ in range(20):
        subprocess.run(["mount", "-t", "tmpfs", "other", mail.base / "home"],
                       check=True)
        subprocess.run(["umount", mail.base / "home"], check=True)
    moved = mail.base / "moved"
    moved.mkdir()
    subprocess.run(["mount", "--bind", mail.mount, moved], check=True)
    subprocess.run(["umount", mail.mount], check=True)
    assert len(Folder(moved / "INBOX").files()) == 1
    assert mail.process.poll() is None
    subprocess.run(["umount", moved], check=True)
    assert mail.process.wait(5) == os.EX_OK


def test_status_and_check(mail, messages):
    messages(3)
    assert mail.command("status").returncode == os.EX_UNAVAILABLE
    mail.start()
    mail.folder().bodies()
    process.wait_until(lambda: mail.status()[0]["messages"] == 3, "a listing")
    found = mail.status()[0]
    assert found["account"] == "test" and found["online"] is True
    assert found["mountpoint"] == str(mail.mount)
    assert found["cached_bytes"] > 0
    check = mail.command("check")
    assert check.returncode == 0, check.stderr
    assert "INBOX" in check.stdout + check.stderr or "3" in check.stdout


def test_check_says_what_is_wrong(daemons, options):
    done = daemons(**options | {"password": "wrong"}).command("check")
    assert done.returncode == os.EX_NOPERM
    [port] = process.free_ports(1)
    done = daemons(**options | {"server": f"imaps://localhost:{port}"}) \
        .command("check")
    assert done.returncode == os.EX_UNAVAILABLE
    assert str(port) in done.stdout + done.stderr


def test_restart_without_the_server(base, pem, daemons, authority):
    """What was listed stays listed, at once; what was read, readable."""
    from conftest import account
    from servers.dovecot import Dovecot
    server = Dovecot(base / "restart", pem).start()
    bodies = [HEAD % b"%d" % n + b"x\r\n" for n in range(200)]
    with Client(server.port, "bob", server.password) as client:
        for body in bodies:
            assert client.append("INBOX", body, r"\Seen", 1_700_000_000)
    daemon = daemons(**account(authority, server)).start()
    assert daemon.folder().bodies() == sorted(map(lf, bodies))
    assert daemon.stop() == 0
    server.stop()
    began = time.monotonic()
    daemon.start()
    files = daemon.folder().files()
    assert len(files) == 200
    assert time.monotonic() - began < 1.5
    assert daemon.folder().bodies() == sorted(map(lf, bodies))
    assert daemon.status()[0]["online"] is False


def names_and_bodies(daemon):
    return {path.name: path.read_bytes() for path in daemon.folder().files()}


@pytest.mark.parametrize("lost", ["state", "cache", "both"])
def test_lost_directories_come_back(mail, messages, lost):
    """And with the same names."""
    messages(20)
    mail.start()
    before = names_and_bodies(mail)
    assert mail.stop() == 0
    for name in ("state", "cache"):
        if lost in (name, "both"):
            shutil.rmtree(mail.base / name / "mailmount")
    mail.start()
    assert names_and_bodies(mail) == before and len(before) == 20
    assert mail.stop() == 0


def test_directories_are_private(mail, messages):
    messages(1)
    mail.start()
    mail.folder().bodies()
    for name in ("state", "cache"):
        for path in (mail.base / name / "mailmount").rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_database_is_whole_after_kill(mail, messages):
    messages(50)
    mail.start()
    mail.folder().bodies()
    mail.kill()
    database = next((mail.base / "state").rglob("index.db"))
    with contextlib.closing(sqlite3.connect(database)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        done = mail.command(mail.mount)
        assert done.returncode == os.EX_TEMPFAIL
        assert done.stderr == \
            f"mailmount: cannot open {database}: another program has it open\n"
    mail.start()
    assert len(mail.folder().bodies()) == 50


def test_maildirpp_layout(daemons, options, client, messages):
    messages(2)
    client.create("Lists/crypto.graphy")
    messages(1, "Lists/crypto.graphy")
    daemon = daemons(**options, layout="maildir++").start()
    assert len(daemon.folder(".").bodies()) == 2
    names = [name for name in os.listdir(daemon.mount)
             if name.startswith(".Lists.")]
    assert len(names) == 1
    assert names[0].count(".") == 2  # the dot in the level is escaped
    assert len(daemon.folder(names[0]).bodies()) == 1


def test_several_accounts(daemons, dovecot, authority, options):
    from conftest import account
    accounts = {}
    for name in ("one", "two"):
        with Client(dovecot.port, f"several-{name}", dovecot.password) as c:
            c.append("INBOX", HEAD % name.encode() + b"x\r\n", r"\Seen")
        accounts[name] = account(authority, dovecot, f"several-{name}")
    daemon = daemons(accounts=accounts).start()
    assert sorted(os.listdir(daemon.mount)) == ["one", "two"]
    for name in accounts:
        [body] = daemon.folder(f"{name}/INBOX").bodies()
        assert b"Subject: " + name.encode() in body


@pytest.mark.parametrize("count", [1, 3, 8])
def test_any_number_of_connections(daemons, options, messages, count):
    bodies = messages(300)
    daemon = daemons(**options, connections=count).start()
    assert daemon.folder().bodies() == sorted(map(lf, bodies))


def test_news_come_at_the_interval(daemons, options, client, messages):
    messages(2)
    daemon = daemons(**options, interval="1s").start()
    assert len(daemon.folder().files()) == 2
    client.append("INBOX", HEAD % b"news" + b"x\r\n", "")
    process.wait_until(lambda: len(daemon.folder().files()) == 3, "news")
    uid = min(client.messages("INBOX"))
    client.store("INBOX", uid, r"\Flagged")
    process.wait_until(lambda: any(path.name.endswith(":2,FS") for path in
                                   daemon.folder().files()), "a flag")
    client.expunge("INBOX", uid)
    process.wait_until(lambda: len(daemon.folder().files()) == 2, "its end")
    client.create("Later")
    process.wait_until(lambda: "Later" in daemon.folders(), "a mailbox")
    client.imap.delete("Later")
    process.wait_until(lambda: "Later" not in daemon.folders(), "its end")
