"""What is written to the mount arrives on the server, once."""
import errno
import mailbox
import os
import shutil
import subprocess
import time

import pytest
from servers.client import lf

MAIL = (b"From: a@example.org\nTo: b@example.org\nSubject: one\n"
        b"Message-ID: <%d@example.org>\n\nHello.\n")


def until(check, seconds=20):
    """What check returns, once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.1)
    pytest.fail(f"not so after {seconds} s: {check.__doc__ or check}")


@pytest.fixture
def inbox(daemons, options, client):
    """The INBOX of a mount that may be written to, as a directory."""
    client.create("Archive")
    daemon = daemons(**options, interval="5s")
    daemon.start()
    return daemon.mount / "INBOX"


def deliver(inbox, name, body, into="new"):
    path = inbox / "tmp" / name
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, body)
    os.fsync(fd)
    os.close(fd)
    os.rename(path, inbox / into / name)


def bodies(client, name="INBOX"):
    return sorted(lf(m[0]) for m in client.messages(name).values())


def flags(client, name="INBOX"):
    return [m[1] - {r"\Recent"} for m in client.messages(name).values()]


def test_a_delivery_arrives_once_and_keeps_its_name(inbox, client):
    deliver(inbox, "1.a.host", MAIL % 1)
    assert os.listdir(inbox / "new") == ["1.a.host"]
    before = os.stat(inbox / "new" / "1.a.host")
    until(lambda: client.messages("INBOX"))
    assert bodies(client) == [MAIL % 1]
    time.sleep(1.5)
    assert bodies(client) == [MAIL % 1]
    assert os.listdir(inbox / "new") == ["1.a.host"]
    after = os.stat(inbox / "new" / "1.a.host")
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == \
        (before.st_ino, before.st_size, before.st_mtime_ns)
    assert (inbox / "new" / "1.a.host").read_bytes() == MAIL % 1


def test_a_delivery_by_link(inbox, client):
    path = inbox / "tmp" / "2.l"
    path.write_bytes(MAIL % 2)
    os.link(path, inbox / "new" / "2.l")
    assert os.stat(path).st_nlink == 2
    os.unlink(path)
    assert os.stat(inbox / "new" / "2.l").st_nlink == 1
    until(lambda: client.messages("INBOX"))
    assert bodies(client) == [MAIL % 2]


def test_a_flag_is_a_rename(inbox, client):
    deliver(inbox, "3", MAIL % 3)
    os.rename(inbox / "new" / "3", inbox / "cur" / "3:2,FS")
    until(lambda: flags(client) == [{r"\Seen", r"\Flagged"}])
    os.rename(inbox / "cur" / "3:2,FS", inbox / "cur" / "3:2,S")
    until(lambda: flags(client) == [{r"\Seen"}])
    assert os.listdir(inbox / "cur") == ["3:2,S"]


def test_a_message_of_the_server_is_flagged_moved_and_deleted(inbox, client):
    client.append("INBOX", MAIL % 4)
    name = until(lambda: os.listdir(inbox / "new"))[0]
    os.rename(inbox / "new" / name, inbox / "cur" / f"{name}:2,S")
    until(lambda: flags(client) == [{r"\Seen"}])
    archive = inbox.parent / "Archive" / "cur"
    shutil.move(inbox / "cur" / f"{name}:2,S", archive)
    until(lambda: client.messages("Archive") and
          not client.messages("INBOX"))
    assert (archive / f"{name}:2,S").read_bytes() == MAIL % 4
    os.unlink(archive / f"{name}:2,S")
    until(lambda: not client.messages("Archive"))


def test_a_listing_shows_what_came_before_it_began(inbox):
    """Also while an older one of the same directory is under way.  What is
    read at once is one answer to READDIRPLUS, a few hundred names."""
    for number in range(400):
        (inbox / "tmp" / "t").write_bytes(MAIL % number)
        os.rename(inbox / "tmp" / "t",
                  inbox / ("new" if number == 350 else "cur") / f"{number}:2,")
    older = os.scandir(inbox / "cur")
    shown = [next(older).name for _ in range(330)]  # the end is on its way
    os.rename(inbox / "new" / "350:2,", inbox / "cur" / "350:2,")
    younger = os.scandir(inbox / "cur")
    found = [next(younger).name for _ in range(20)]
    shown += [entry.name for entry in older]
    found += [entry.name for entry in younger]
    assert sorted(found) == sorted(f"{number}:2," for number in range(400))
    assert set(shown) >= set(found) - {"350:2,"}


def test_mailboxes_are_made_renamed_and_removed(inbox, client):
    top = inbox.parent
    for path in ("Work", "Work/cur", "Work/new", "Work/tmp"):
        os.mkdir(top / path)
    until(lambda: "Work" in client.names())
    deliver(top / "Work", "5", MAIL % 5)
    until(lambda: client.messages("Work"))
    os.rename(top / "Work", top / "Play")
    until(lambda: "Play" in client.names() and "Work" not in client.names())
    assert (top / "Play" / "new" / "5").read_bytes() == MAIL % 5
    shutil.rmtree(top / "Play")
    until(lambda: "Play" not in client.names())


def test_python_delivers(inbox, client):
    box = mailbox.Maildir(inbox, create=False)
    box.add(MAIL % 6)
    until(lambda: client.messages("INBOX"))
    assert bodies(client) == [MAIL % 6]


def test_an_edit_replaces(inbox, client):
    deliver(inbox, "7", MAIL % 7)
    until(lambda: client.messages("INBOX"))
    subprocess.run(["sed", "-i", "s/Hello/Goodbye/", inbox / "new" / "7"],
                   check=True)
    until(lambda: bodies(client) == [(MAIL % 7).replace(b"Hello",
                                                       b"Goodbye")])


def test_a_killed_daemon_forgets_nothing(daemons, options, client):
    daemon = daemons(**options)
    daemon.start()
    inbox = daemon.mount / "INBOX"
    for n in range(20):
        deliver(inbox, f"k{n}", MAIL % n)
    daemon.kill()
    daemon.start()
    until(lambda: len(client.messages("INBOX")) == 20)
    assert bodies(client) == sorted(MAIL % n for n in range(20))
    time.sleep(1)
    assert len(client.messages("INBOX")) == 20


def test_attributes_tell_and_set(inbox, client):
    deliver(inbox, "8", MAIL % 8)
    path = inbox / "new" / "8"
    until(lambda: client.messages("INBOX"))
    until(lambda: os.getxattr(path, "user.mailmount.state") == b"synced")
    assert os.getxattr(path, "user.mailmount.uid") == b"1"
    os.setxattr(path, "user.mailmount.keywords", b"$Work")
    until(lambda: flags(client) == [{"$Work"}])
    assert os.getxattr(path, "user.mailmount.keywords") == b"$Work"


def test_a_read_only_account_refuses(daemons, options, client):
    client.append("INBOX", MAIL % 9)
    daemon = daemons(**options, read_only="yes")
    daemon.start()
    inbox = daemon.folder("INBOX")
    path = inbox.files()[0]
    for call in (lambda: (inbox.path / "tmp/x").touch(), path.unlink,
                 lambda: path.rename(inbox.path / "cur/x"),
                 lambda: os.link(path, inbox.path / "cur/x"),
                 lambda: path.chmod(0o644),
                 lambda: (daemon.mount / "Newfolder").mkdir(),
                 lambda: (inbox.path / "tmp").rmdir(),
                 lambda: os.rename(inbox.path, daemon.mount / "Newfolder"),
                 lambda: open(path, "ab")):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.EROFS
