"""import and export, by the program itself."""
import mailbox
import os
import subprocess

import pytest

from daemon import PROGRAM

FROM = b"From MAILER-DAEMON Mon Nov 13 22:13:20 2023\n"
ODD = b"".join([
    FROM, b"Status: RO\nX-Status: AF\nSubject: flags\n\nbody\n\n",
    FROM, b"\n",
    FROM, b"Subject: quoted\n\n>From here\n>>From there\n\n\n",
    FROM, b"Subject: bytes\n\n\0\0\xff\r\n\r", b"x" * 900_000, b"\n\n",
    FROM, b"no header, no end",
])


def run(*arguments, **options):
    return subprocess.run([PROGRAM, *map(str, arguments)], timeout=60,
                          capture_output=True, check=False, **options)


def make_maildir(path):
    for place in ("cur", "new", "tmp"):
        (path / place).mkdir(parents=True)
    return path


def test_a_file_goes_there_and_back(tmp_path):
    box = make_maildir(tmp_path / "box")
    imported = run("import", "-", box, input=ODD)
    assert imported.returncode == os.EX_OK, imported.stderr
    assert b"5 messages imported" in imported.stderr
    exported = run("export", box, "-")
    assert exported.returncode == os.EX_OK, exported.stderr
    assert exported.stdout == ODD


def test_python_reads_what_export_writes(tmp_path):
    box = make_maildir(tmp_path / "box")
    assert run("import", "-", box, input=ODD).returncode == os.EX_OK
    assert run("export", box, tmp_path / "mbox").returncode == os.EX_OK
    found = list(mailbox.mbox(tmp_path / "mbox"))
    assert len(found) == 5
    assert found[0].get_flags() == "ROAF"
    assert found[0]["Subject"] == "flags"
    assert found[2].get_payload() == ">From here\n>>From there\n\n"


def test_import_reads_what_python_writes(tmp_path):
    box = make_maildir(tmp_path / "box")
    written = mailbox.mbox(tmp_path / "mbox")
    for number in range(20):
        message = mailbox.mboxMessage(f"Subject: {number}\n\nFrom me\n")
        message.set_flags("RO" if number % 2 else "F")
        written.add(message)
    written.close()
    assert run("import", tmp_path / "mbox", box).returncode == os.EX_OK
    found = mailbox.Maildir(box, create=False)
    assert {(message["Subject"], message.get_flags(), message.get_payload())
            for message in found} == {
                (str(number), "S" if number % 2 else "F", "From me\n")
                for number in range(20)}


@pytest.mark.parametrize("layout", ["nested", "maildir++"])
def test_a_mailbox_of_the_mount_is_exported(daemons, options, messages,
                                            tmp_path, layout):
    bodies = messages(30)
    mail = daemons(**options, layout=layout).start()
    path = mail.mount / ("INBOX" if layout == "nested" else "")
    exported = run("export", path, "-")
    assert exported.returncode == os.EX_OK, exported.stderr
    assert mail.stop() == os.EX_OK
    expected = b"".join(
        b"From MAILER-DAEMON Tue Nov 14 22:13:%02d 2023\nStatus: RO\n%s\n" %
        (20 + number, body.replace(b"\r\n", b"\n"))
        for number, body in enumerate(bodies))
    assert exported.stdout == expected


def test_an_export_that_fails_leaves_no_file(tmp_path):
    """One message cannot be read: no part is taken for the whole."""
    box = make_maildir(tmp_path / "box")
    assert run("import", "-", box, input=ODD).returncode == os.EX_OK
    (box / "cur" / "9:2,").symlink_to("/nonexistent")
    exported = run("export", box, tmp_path / "mbox")
    assert exported.returncode != os.EX_OK
    assert b"box: 9:2,: " in exported.stderr
    assert list(tmp_path.iterdir()) == [box]
