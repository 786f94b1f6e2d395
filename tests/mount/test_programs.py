"""Programs people use, reading a mount none of them knows about."""
import mailbox
import subprocess

import pytest
from servers.client import lf
from servers.corpus import HEAD
from terminal import run_to_end


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], timeout=40,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def shown(mail, client, messages):
    """A mount of 200 messages, three of which say invoice."""
    bodies = messages(200)
    for number in range(3):
        body = HEAD % b"invoice %d" % number + b"pay soon\r\n"
        client.append("INBOX", body, "", 1_710_000_000 + number)
        bodies.append(body)
    return mail.start(), bodies


def test_grep_finds_in_what_was_never_opened(shown):
    daemon, _ = shown
    found = run("grep", "-rl", "invoice", daemon.folder().path).splitlines()
    assert len(found) == 3
    assert all(b"/new/" in name for name in found)


def test_find_by_date(shown):
    daemon, _ = shown
    found = run("find", daemon.mount, "-type", "f", "-newermt", "2024-01-01")
    assert len(found.splitlines()) == 3


def test_cp_a_copies_all(shown, tmp_path):
    daemon, bodies = shown
    run("cp", "-a", daemon.folder().path, tmp_path / "copy")
    copied = [path for path in (tmp_path / "copy").rglob("*")
              if path.is_file()]
    assert sorted(path.read_bytes() for path in copied) == \
        sorted(map(lf, bodies))
    for path in copied:
        place = daemon.folder().path / path.parent.name / path.name
        assert path.stat().st_mtime == place.stat().st_mtime
    run("diff", "-r", daemon.folder().path, tmp_path / "copy")


def test_python_mailbox(shown):
    daemon, bodies = shown
    box = mailbox.Maildir(daemon.folder().path, create=False)
    assert len(box) == len(bodies)
    subjects = sorted(message["Subject"] for message in box)
    assert subjects[:3] == ["invoice 0", "invoice 1", "invoice 2"]
    assert sum(message.get_subdir() == "new" for message in box) == 3


def test_mutt_lists_and_shows(shown, tmp_path):
    daemon, _ = shown
    (tmp_path / "muttrc").write_text(
        f'set mbox_type=Maildir folder="{tmp_path}" wait_key=no '
        f'pipe_decode=no\n'
        f'set index_format="%s"\n'
        f'push "<limit>~s invoice<enter><tag-pattern>~A<enter>'
        f'<tag-prefix><pipe-message>cat > {tmp_path}/out<enter>'
        f'<exit>"\n')
    run_to_end(f"mutt -n -R -F {tmp_path}/muttrc -f {daemon.folder().path}",
               tmp_path)
    piped = (tmp_path / "out").read_bytes()
    assert piped.count(b"Subject: invoice") == 3
