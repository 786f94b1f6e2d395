"""`rm -rf` of a mailbox is not the end; `rm` of two messages is."""
import os
import subprocess

import pytest
from conftest import account
from servers.client import Client, lf
from servers.dovecot import Dovecot
from servers.process import wait_until

COUNT = 1000
MAILBOX = "Lists"
MAIL = (b"From: a@example.org\r\nSubject: %d\r\nMessage-ID: <%d@list>\r\n\r\n"
        b"Hello, all %d of you.\r\n")
FLAGS = ("", r"\Seen", r"\Seen \Flagged", r"\Answered", "Work")


def fill(client):
    """COUNT messages, with flags, in a mailbox of their own."""
    client.create(MAILBOX)
    tag = client.imap._new_tag()
    client.imap.send(tag + b" APPEND " + MAILBOX.encode())
    for n in range(COUNT):
        body = MAIL % (n, n, n)
        flags = FLAGS[n % len(FLAGS)].encode()
        client.imap.send(b" (%s) {%d+}\r\n%s" % (flags, len(body), body))
    client.imap.send(b"\r\n")
    assert client.imap._command_complete("APPEND", tag)[0] == "OK"


def on_server(client):
    return {lf(body): flags - {r"\Recent"} for body, flags, _
            in client.messages(MAILBOX).values()}


def here(mail):
    """{path below the mailbox: body}."""
    folder = mail.folder(MAILBOX)
    return {path.relative_to(folder.path): path.read_bytes()
            for path in folder.files()}


def removed(mail, client):
    """The mailbox's content on both sides, before it was removed."""
    fill(client)
    mail.start()
    before, kept = here(mail), on_server(client)
    assert (len(before), len(kept)) == (COUNT, COUNT)
    subprocess.run(["rm", "-rf", mail.mount / MAILBOX], check=True)
    assert not (mail.mount / MAILBOX).exists()
    wait_until(lambda: mail.status()[0]["held"] == COUNT, "the brake")
    return before, kept


def shown(mail):
    """All that waits, as `mailmount queue` counts it."""
    lines = mail.command("queue").stdout.splitlines()
    more = [line for line in lines if " more" in line]
    return len(lines) - len(more) + sum(
        int(line.split()[-2]) for line in more)


@pytest.mark.timeout(120)
def test_a_mailbox_that_was_removed_comes_back(mail, client):
    before, kept = removed(mail, client)
    assert on_server(client) == kept  # nothing has gone
    assert f"    {COUNT} deletions are held: `mailmount confirm` or " \
        "`mailmount undo`\n" in mail.command("status").stdout
    assert shown(mail) >= COUNT
    mail.stop()
    mail.start()  # and it stays so
    assert mail.status()[0]["held"] == COUNT
    answer = mail.command("undo")
    assert answer.stdout == f"test: {COUNT} held deletions are taken back\n"
    answer = mail.command("sync", "--timeout", "20")
    assert (answer.returncode, answer.stderr) == (os.EX_OK, "")
    assert here(mail) == before
    assert sorted(os.listdir(mail.mount / MAILBOX)) == ["cur", "new", "tmp"]
    assert on_server(client) == kept
    assert MAILBOX in client.names()
    assert mail.command("queue").stdout == ""


@pytest.mark.timeout(120)
def test_a_mailbox_that_was_removed_goes_when_that_is_confirmed(mail, client):
    removed(mail, client)
    answer = mail.command("confirm")
    assert answer.stdout == f"test: {COUNT} held deletions go on\n"
    answer = mail.command("sync", "--timeout", "30")
    assert (answer.returncode, answer.stderr) == (os.EX_OK, "")
    wait_until(lambda: MAILBOX not in client.names(), "DELETE")
    assert not (mail.mount / MAILBOX).exists()
    assert len(client.messages("Trash")) == COUNT
    assert mail.command("queue").stdout == ""


# What is left in the mailbox, and in the Trash, of two; "": by default.
POLICIES = {"": (0, 2), "trash": (0, 2), "expunge": (0, 0), "flag": (2, 0)}


@pytest.mark.parametrize("policy", POLICIES)
def test_two_messages_go_at_once(mail, options, client, messages, policy):
    messages(4)
    if policy:
        mail.write_config({"test": {**options, "delete": policy}})
    mail.start()
    paths = sorted(mail.folder().files(), key=lambda path: path.name)
    gone = [path.read_bytes() for path in paths[:2]]
    subprocess.run(["rm", *paths[:2]], check=True)
    assert len(mail.folder().files()) == 2
    answer = mail.command("sync", "--timeout", "20")
    assert (answer.returncode, answer.stderr) == (os.EX_OK, "")
    assert mail.status()[0]["held"] == 0
    found = client.messages("INBOX").values()
    marked = [lf(body) for body, flags, _ in found if r"\Deleted" in flags]
    left, in_trash = POLICIES[policy]
    assert len(found) == 2 + left
    assert sorted(marked) == (sorted(gone) if left else [])
    trash = [lf(body) for body, *_ in client.messages("Trash").values()]
    assert sorted(trash) == (sorted(gone) if in_trash else [])
    assert len(mail.folder().files()) == 2


@pytest.fixture
def trashless(base, pem):
    server = Dovecot(base / "trashless", pem, special=()).start()
    yield server
    server.stop()


def test_where_there_is_no_trash_they_are_expunged(daemons, authority,
                                                   trashless):
    with Client(trashless.port, "bob", trashless.password) as client:
        for n in range(3):
            assert client.append("INBOX", MAIL % (n, n, n))
        mail = daemons(**account(authority, trashless)).start()
        subprocess.run(["rm", *mail.folder().files()[:2]], check=True)
        answer = mail.command("sync", "--timeout", "20")
        assert (answer.returncode, answer.stderr) == (os.EX_OK, "")
        assert len(client.messages("INBOX")) == 1
        assert client.names() == ["INBOX"]
