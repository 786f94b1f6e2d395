"""Keywords are letters in a name, and the file says which."""
import os
import re
import subprocess

import pytest
from deliverers import AS_OWNER, OWNER, find_program
from servers import process

MAIL = b"From: a@example.org\nSubject: %d\n\nHello.\n"
FILE = "dovecot-keywords"


@pytest.fixture
def inbox(daemons, options, client):
    client.create("Archive")
    for n in range(3):
        client.append("INBOX", MAIL % n)
    client.imap.select("INBOX")
    client.imap.store("1", "+FLAGS", r"(\Seen work)")
    client.imap.store("2", "+FLAGS", "(later work)")
    daemon = daemons(**options, interval="5s")
    daemon.start()
    return daemon.mount / "INBOX"


def keywords(client, name="INBOX"):
    """Of each message, in order."""
    return [{f for f in m[1] if f[0] != "\\"}
            for _, m in sorted(client.messages(name).items())]


def until(check, what):
    process.wait_until(check, what, 20)


def infos(inbox):
    return sorted(name.split(":")[1] for name in os.listdir(inbox / "cur"))


def test_the_server_s_keywords_are_letters(inbox, client):
    assert infos(inbox) == ["2,Sa"]
    # One with keywords alone was not looked at: it is new, and so called.
    assert len(os.listdir(inbox / "new")) == 2
    assert not [n for n in os.listdir(inbox / "new") if ":" in n]
    assert (inbox / FILE).read_text() == "0 work\n1 later\n"
    client.imap.select("INBOX")
    client.imap.store("1", "+FLAGS", "(third later)")
    client.imap.store("1", "-FLAGS", "(work)")
    until(lambda: infos(inbox) == ["2,Sbc"], "the letters")
    assert (inbox / FILE).read_text() == "0 work\n1 later\n2 third\n"
    client.imap.store("3", "+FLAGS", r"(\Flagged third)")
    until(lambda: infos(inbox) == ["2,Fc", "2,Sbc"], "a flag and a letter")


def test_letters_become_keywords(inbox, client):
    cur = inbox / "cur"
    name = os.listdir(cur)[0]
    base = name.split(":")[0]
    inode = os.stat(cur / name).st_ino
    os.rename(cur / name, cur / f"{base}:2,Sab")
    until(lambda: keywords(client)[0] == {"work", "later"}, "+later")
    os.rename(cur / f"{base}:2,Sab", cur / f"{base}:2,Sb")
    until(lambda: keywords(client)[0] == {"later"}, "-work")
    assert os.listdir(cur) == [f"{base}:2,Sb"]
    assert os.stat(cur / f"{base}:2,Sb").st_ino == inode
    # A program that knows nothing of letters moves one from new to cur.
    new = [n for n in os.listdir(inbox / "new")]
    for n in new:
        os.rename(inbox / "new" / n, cur / f"{n}:2,S")
    assert sorted(os.listdir(cur)) == sorted(
        [f"{base}:2,Sb"] + [f"{n}:2,S" for n in new])
    until(lambda: all(r"\Seen" in m[1] for m in
                      client.messages("INBOX").values()), "+Seen")
    assert keywords(client) == [{"later"}, {"later", "work"}, set()]


def add_line(inbox, line):
    """As Dovecot: a lock file, renamed over it."""
    text = (inbox / FILE).read_text()
    lock = inbox / f"{FILE}.lock"
    fd = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    os.write(fd, (text + line).encode())
    os.fsync(fd)
    os.close(fd)
    os.rename(lock, inbox / FILE)


def test_a_program_gives_letters_their_meaning(inbox, client):
    cur = inbox / "cur"
    name = os.listdir(cur)[0]
    base = name.split(":")[0]
    # Dovecot writes the file after it has renamed.
    os.rename(cur / name, cur / f"{base}:2,Sad")
    assert os.listdir(cur) == [f"{base}:2,Sad"]
    add_line(inbox, "3 mine\n")
    until(lambda: keywords(client)[0] == {"work", "mine"}, "+mine")
    os.rename(cur / f"{base}:2,Sad", cur / f"{base}:2,Sa")
    until(lambda: keywords(client)[0] == {"work"}, "-mine")
    # In place, and before.
    with open(inbox / FILE, "a", encoding="ascii") as file:
        file.write("4 yours\n")
    os.rename(cur / f"{base}:2,Sa", cur / f"{base}:2,Sae")
    until(lambda: keywords(client)[0] == {"work", "yours"}, "+yours")
    client.imap.select("INBOX")
    client.imap.store("1", "+FLAGS", "(next mine)")
    until(lambda: infos(inbox) == ["2,Sadef"], "the letters")
    assert (inbox / FILE).read_text() == \
        "0 work\n1 later\n3 mine\n4 yours\n5 next\n"


@pytest.mark.parametrize("layout", ["nested", "maildir++"])
def test_a_file_that_comes_is_listed(daemons, options, client, layout):
    client.create("Archive")
    daemon = daemons(**options, interval="1s", layout=layout).start()
    dotted = layout == "maildir++"
    archive = daemon.mount / (".Archive" if dotted else "Archive")
    inbox = daemon.mount if dotted else daemon.mount / "INBOX"
    for top, name in ((archive, "Archive"), (inbox, "INBOX")):
        assert FILE not in os.listdir(top)
        client.append(name, MAIL % 1)
        client.imap.select(name)
        client.imap.store("1", "+FLAGS", r"(\Seen work)")
        until(lambda at=top: FILE in os.listdir(at), "the file")
        assert (top / FILE).read_text() == "0 work\n"
        assert [n.split(":")[1] for n in os.listdir(top / "cur")] == ["2,Sa"]


def test_keywords_go_along(inbox, client):
    cur, archive = inbox / "cur", inbox.parent / "Archive" / "cur"
    name = os.listdir(cur)[0]
    (archive.parent / FILE).write_text("0 other\n")
    os.rename(cur / name, archive / name)
    assert os.listdir(archive) == [name]
    until(lambda: client.messages("Archive"), "the move")
    assert keywords(client, "Archive") == [{"work"}]
    assert (archive.parent / FILE).read_text() == "0 other\n1 work\n"


def test_a_delivery_with_letters_and_the_attribute(inbox, client):
    path = inbox / "tmp" / "d"
    path.write_bytes(MAIL % 9)
    os.rename(path, inbox / "cur" / "d:2,Sb")
    until(lambda: len(client.messages("INBOX")) == 4, "the message")
    assert keywords(client)[3] == {"later"}
    os.setxattr(inbox / "cur" / "d:2,Sb", "user.mailmount.keywords",
                b"work fresh")
    assert (inbox / "cur" / "d:2,Sac").read_bytes() == MAIL % 9
    assert "d:2,Sb" not in os.listdir(inbox / "cur")
    until(lambda: keywords(client)[3] == {"work", "fresh"}, "the keywords")
    assert re.fullmatch("0 work\n1 later\n2 fresh\n",
                        (inbox / FILE).read_text())


DOVEADM = """\
mail_location = maildir:{mail}:LAYOUT=fs:INBOX={mail}/INBOX
base_dir = {home}
log_path = {home}/log
first_valid_uid = 1
first_valid_gid = 1
namespace inbox {{
  inbox = yes
  separator = /
}}
"""


@pytest.fixture
def doveadm(inbox, tmp_path):
    """Dovecot on the mount, as another mail program would be."""
    config = tmp_path / "dovecot.conf"
    config.write_text(DOVEADM.format(mail=inbox.parent, home=tmp_path))
    program = find_program("doveadm", tmp_path)

    def run(*arguments):
        done = subprocess.run(
            [*AS_OWNER, program, "-c", config, *arguments], timeout=20,
            env={**os.environ, "HOME": str(tmp_path), "USER": OWNER},
            text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def shown():
        """The keywords of each message, in the order of their subjects."""
        found = {}
        text = run("fetch", "hdr.subject flags", "mailbox", "INBOX", "all")
        for subject, flags in re.findall(
                r"hdr.subject: (\d)\nflags: ([^\n]*)", text):
            found[subject] = {f for f in flags.split() if f[0] != "\\"}
        return [found[subject] for subject in sorted(found)]
    run.shown = shown
    return run


def test_dovecot_shares_its_keywords(inbox, doveadm, client):
    # What was in new it takes to cur, without letters.
    assert doveadm.shown() == [{"work"}, set(), set()]
    for keyword in ("mine", "$Own"):
        doveadm("flags", "add", keyword, "mailbox", "INBOX", "subject", "0")
    until(lambda: keywords(client)[0] == {"work", "mine", "$Own"}, "+mine")
    doveadm("flags", "add", "work", "mailbox", "INBOX", "subject", "2")
    doveadm("flags", "remove", "work", "mailbox", "INBOX", "subject", "0")
    until(lambda: keywords(client) == [
        {"mine", "$Own"}, {"later", "work"}, {"work"}], "all of it")
    client.imap.select("INBOX")
    client.imap.store("3", "+FLAGS", r"(\Flagged fresh mine)")
    client.imap.store("1", "-FLAGS", "($Own)")
    until(lambda: doveadm.shown()[2] == {"work", "fresh", "mine"}, "fresh")
    assert doveadm.shown()[0] == {"mine"}
    assert keywords(client) == [
        {"mine"}, {"later", "work"}, {"work", "fresh", "mine"}]
