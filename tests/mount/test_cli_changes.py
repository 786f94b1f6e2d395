"""The commands about changes that wait for the server."""
import json
import os

import pytest
from servers.client import lf


def test_nothing_waits(mail, messages):
    messages(3)
    mail.start()
    mail.folder().files()
    answer = mail.command("sync")
    assert (answer.returncode, answer.stdout, answer.stderr) == \
        (os.EX_OK, "", "")
    answer = mail.command("queue")
    assert (answer.returncode, answer.stdout) == (os.EX_OK, "")
    queue = json.loads(mail.command("queue", "--json").stdout)
    assert [(one["account"], one["total"], one["changes"])
            for one in queue] == [("test", 0, [])]
    assert queue[0]["directory"] == str(mail.mount)
    status = mail.status()[0]
    assert (status["pending"], status["held"], status["refused"]) == (0, 0, 0)
    assert mail.stop() == os.EX_OK


@pytest.mark.parametrize("order", ["confirm", "undo", "retry"])
def test_no_change_is_told(mail, order):
    mail.start()
    answer = mail.command(order, "test")
    assert answer.returncode == os.EX_OK, answer.stderr
    assert answer.stdout.startswith("test: 0 ")


@pytest.mark.parametrize("command", ["sync", "queue", "confirm", "undo",
                                     "retry"])
def test_who_is_not_mounted_is_told(mail, command):
    answer = mail.command(command)
    assert answer.returncode == os.EX_UNAVAILABLE
    assert answer.stderr == "mailmount: test: is not mounted\n"


def test_unmounting_says_nothing_when_nothing_waits(mail):
    mail.start()
    answer = mail.command("-u", mail.mount)
    assert (answer.returncode, answer.stdout, answer.stderr) == \
        (os.EX_OK, "", "")
    assert mail.process.wait(5) == os.EX_OK


MAIL = (b"From: a@example.org\nSubject: %d\nMessage-ID: <%d@example.org>\n"
        b"\nHello.\n")
MBOX = b"".join(b"From a Mon Nov 13 22:13:%02d 2023\n%s\n" %
                (number, MAIL % (number, number)) for number in range(3))
NOWHERE = "imap://127.0.0.1:1"  # nobody listens there


def give(mail, path):
    """Import three messages."""
    path.write_bytes(MBOX)
    answer = mail.command("import", path, mail.mount / "INBOX")
    assert answer.returncode == os.EX_OK, answer.stderr


def bodies(client, name="INBOX"):
    return sorted(lf(body) for body, *_ in client.messages(name).values())


def test_sync_returns_when_the_server_has_it(mail, client, tmp_path):
    mail.start()
    give(mail, tmp_path / "mbox")
    answer = mail.command("sync", "--timeout", "20")
    assert (answer.returncode, answer.stderr) == (os.EX_OK, "")
    assert bodies(client) == sorted(MAIL % (n, n) for n in range(3))
    assert mail.command("queue").stdout == ""
    exported = mail.command("export", mail.mount / "INBOX", "-").stdout
    assert exported.encode() == MBOX.replace(b"From a ",
                                             b"From MAILER-DAEMON ")
    assert mail.stop() == os.EX_OK


def test_what_waits_off_line_is_told_and_sent_later(mail, options, client,
                                                    tmp_path):
    mail.start()
    mail.folder().files()
    assert mail.stop() == os.EX_OK
    mail.write_config({"test": {**options, "server": NOWHERE, "tls": "none"}})
    mail.start()
    give(mail, tmp_path / "mbox")
    answer = mail.command("sync", "test")
    assert answer.returncode == os.EX_TEMPFAIL
    assert answer.stderr.startswith("mailmount: test: 3 changes wait: ")
    lines = mail.command("queue").stdout.splitlines()
    assert len(lines) == 3
    for line in lines:
        assert line.split()[1] == "test" and line.split()[3] == "append"
        assert line.endswith(" INBOX")
    assert "    3 changes wait to be sent\n" in mail.command("status").stdout
    answer = mail.command("-u", mail.mount)
    assert (answer.returncode, answer.stdout) == \
        (os.EX_OK, "test: 3 changes wait until it is mounted again\n")
    assert mail.process.wait(5) == os.EX_OK
    assert client.messages("INBOX") == {}
    mail.write_config({"test": options})
    mail.start()
    answer = mail.command("sync", "--timeout", "20")
    assert (answer.returncode, answer.stderr) == (os.EX_OK, "")
    assert bodies(client) == sorted(MAIL % (n, n) for n in range(3))


@pytest.mark.parametrize("order, left", [("undo", 60), ("confirm", 0)])
def test_many_deletions_are_held(mail, client, messages, order, left):
    messages(60)
    mail.start()
    for path in mail.folder().files():
        path.unlink()
    assert mail.folder().files() == []
    answer = mail.command("sync", "--timeout", "20")
    assert answer.returncode == os.EX_UNAVAILABLE
    assert "deletions are held" in answer.stderr
    held = mail.status()[0]["held"]
    assert 0 < held <= 60
    answer = mail.command(order)
    assert answer.returncode == os.EX_OK
    assert answer.stdout.startswith(f"test: {held} held deletions ")
    assert mail.status()[0]["held"] == 0
    answer = mail.command("sync", "--timeout", "20")
    assert (answer.returncode, answer.stderr) == (os.EX_OK, "")
    there = len(client.messages("INBOX"))
    assert there == (held if left else 0)
    assert len(mail.folder().files()) == there
