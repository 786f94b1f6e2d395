"""POP3: programs that file, read and delete; mbox files that come and go."""
import collections
import os
import shutil
import subprocess

import pytest
from daemon import Folder
from deliverers import find_program
from drops import messages
from servers import process
from terminal import run_to_end
from test_pop_keep import make_folder, numbered, wait_for_drop

LISTS = [b"List-Id: <%s.example.org>\nSubject: %d\n\nFrom me\n" % (name, n)
         for n, name in enumerate([b"art", b"art", b"music", b"art"])]
RECIPES = """\
MAILDIR={mount}
DEFAULT={mount}/INBOX/
LOGFILE={log}
LOGABSTRACT=all
:0
* ^List-Id:.*<\\/[a-z]+
Lists/$MATCH/
"""


@pytest.fixture
def procmail(tmp_path):
    return find_program("procmail", tmp_path)


@pytest.mark.parametrize("keep", ["yes", "no"])
def test_procmail_files_from_the_drop(dovecot_pop, mounted, user, procmail,
                                       tmp_path, keep):
    """As people do with `for f in new/*; do procmail < $f && rm $f; done`."""
    plain = numbered(2)
    dovecot_pop.put([*LISTS, *plain], user)
    daemon = mounted(dovecot_pop, user=user, keep=keep, interval="1s")
    boxes = {name: make_folder(daemon, f"Lists/{name}")
             for name in ("art", "music")}
    rc = tmp_path / "rc"
    rc.write_text(RECIPES.format(mount=daemon.mount, log=tmp_path / "log"))
    for path in daemon.folder().files():
        if b"List-Id" in path.read_bytes():
            subprocess.run([procmail, "-m", rc], input=path.read_bytes(),
                           check=True, timeout=20)
            path.unlink()
    wait_for_drop(dovecot_pop, user, plain if keep == "yes" else [])
    for _ in range(2):
        assert boxes["art"].bodies() == sorted([*LISTS[:2], LISTS[3]])
        assert boxes["music"].bodies() == [LISTS[2]]
        assert daemon.folder().bodies() == plain
        assert daemon.stop() == 0
        daemon.start()


def mutt(daemon, home, keys):
    (home / "muttrc").write_text(
        f'set mbox_type=Maildir folder="{daemon.mount}" wait_key=no '
        f'delete=yes quit=yes confirmappend=no move=no mark_old=no\n'
        f'push "{keys}"\n')
    run_to_end(f"mutt -n -F {home}/muttrc -f {daemon.mount}/INBOX", home)


def flags(folder):
    return {path.read_bytes(): path.name.partition(":2,")[2]
            for path in folder.files()}


@pytest.mark.skipif(not shutil.which("mutt"), reason="mutt is not installed")
def test_mutt_reads_flags_deletes_and_saves(dovecot_pop, mounted, user,
                                            tmp_path):
    bodies = numbered(4)
    dovecot_pop.put(bodies, user)
    daemon = mounted(dovecot_pop, user=user, interval="1s")
    saved = make_folder(daemon, "Saved")
    mutt(daemon, tmp_path,
         "<tag-pattern>~s ^0$<enter><tag-prefix><flag-message>"
         "<untag-pattern>~A<enter>"
         "<delete-pattern>~s ^1$<enter>"
         "<search>~s ^2$<enter><display-message><exit>"
         "<search>~s ^3$<enter><save-message>=Saved<enter>"
         "<sync-mailbox><quit>")
    wait_for_drop(dovecot_pop, user, [bodies[0], bodies[2]])
    for _ in range(2):
        found = flags(daemon.folder())
        assert set(found) == {bodies[0], bodies[2]}
        assert "F" in found[bodies[0]] and "S" in found[bodies[2]]
        body, = saved.bodies()  # with a line of mutt's own
        assert body.replace(b"Content-Length: 7\n", b"") == bodies[3]
        assert daemon.stop() == 0
        daemon.start()


FLAGS = ["", "S", "F", "FS", "RS", "FRS"]  # what an mbox can say


def odd_maildir(path, is_allowed):
    """Odd messages, with flags; returns them."""
    for place in ("cur", "new", "tmp"):
        (path / place).mkdir(parents=True)
    expected = collections.Counter()
    for number, body in enumerate([*messages("any"), b""]):
        if is_allowed(body):
            letters = FLAGS[number % len(FLAGS)]
            name = f"{1_700_000_000 + number}.M{number}P1.host:2,{letters}"
            (path / "cur" / name).write_bytes(body)
            expected[body, letters] += 1
    assert len(expected) > 10
    return expected


def found_in(folder):
    return collections.Counter(
        (path.read_bytes(), path.name.partition(":2,")[2])
        for path in folder.files())


def there_and_back(daemon, box, source, home):
    """From a Maildir to a file to the mount to a file to a Maildir."""
    (home / "back/tmp").mkdir(parents=True)
    for place in ("cur", "new"):
        (home / "back" / place).mkdir()
    for command in (("export", source, home / "mbox"),
                    ("import", home / "mbox", box.path),
                    ("export", box.path, home / "again"),
                    ("import", home / "again", home / "back")):
        done = daemon.command(*command)
        assert done.returncode == os.EX_OK, done.stderr
    assert (home / "again").read_bytes() == (home / "mbox").read_bytes()
    return Folder(home / "back")


def test_mbox_to_a_local_mailbox_and_back(dovecot_pop, mounted, user,
                                          tmp_path):
    expected = odd_maildir(tmp_path / "odd", lambda body: True)
    dovecot_pop.put([], user)
    daemon = mounted(dovecot_pop, user=user)
    box = make_folder(daemon, "Old/mail")
    back = there_and_back(daemon, box, tmp_path / "odd", tmp_path)
    assert found_in(box) == found_in(back) == expected
    assert daemon.stop() == 0
    daemon.start()
    assert found_in(box) == expected


def test_mbox_to_a_server_and_back(mail, tmp_path):
    """IMAP has no message with NUL, nor one with CR alone."""
    expected = odd_maildir(tmp_path / "odd", lambda body:
                           b"\0" not in body and b"\r" not in body and
                           body.endswith(b"\n"))
    mail.start()
    box = make_folder(mail, "Old")
    back = there_and_back(mail, box, tmp_path / "odd", tmp_path)
    assert found_in(back) == expected
    process.wait_until(lambda: mail.status()[0]["pending"] == 0, "the server")
    assert mail.status()[0]["refused"] == 0
    assert mail.stop() == 0
    for name in ("state", "cache"):  # from the server alone
        shutil.rmtree(mail.base / name)
        (mail.base / name).mkdir()
    mail.start()
    assert found_in(box) == expected
