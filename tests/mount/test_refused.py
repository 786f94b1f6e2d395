"""What a server refuses stays here, is listed with the server's words, is not
sent again and again, and goes when the cause has gone."""
import errno
import json
import os
import subprocess
import time

import pytest
from servers import process
from servers.client import Client, lf
from servers.dovecot import Dovecot
from servers.proxy import Proxy

MAIL = (b"From: a@example.org\nSubject: %d\nMessage-ID: <%d@example.org>\n\n"
        b"Hello.\n")
BIG = MAIL + b"x" * 70 + b"\n"
PEACE_S = 3  # in which nothing may be tried again

# A message of more than 8 kB is too big, and the account holds 20 kB.
CONFIG = """\
mail_plugins = quota acl
protocol imap {
  mail_plugins = $mail_plugins imap_quota imap_acl
}
plugin {
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=20K
  quota_max_mail_size = 8K
  acl = vfile
}
"""


@pytest.fixture(scope="module")
def strict(base, pem):
    server = Dovecot(base / "strict", pem, format="maildir:~/Maildir",
                     extra=CONFIG).start()
    yield server
    server.stop()


class Account:
    """A mount, another client, and what goes over the wire."""

    def __init__(self, daemon, proxy, client, user):
        self.daemon = daemon
        self.proxy = proxy
        self.client = client
        self.user = user

    def path(self, mailbox, name):
        return self.daemon.mount / mailbox / "new" / name

    def deliver(self, mailbox, name, body):
        temporary = self.daemon.mount / mailbox / "tmp" / name
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(fd, body)
        os.fsync(fd)
        os.close(fd)
        os.rename(temporary, self.path(mailbox, name))

    def queue(self):
        return json.loads(self.daemon.command("queue", "--json").stdout)[0][
            "changes"]

    def refused(self, count=1):
        """The rows, once they are there; nothing is tried again then."""
        process.wait_until(
            lambda: [row["state"] for row in self.queue()] ==
            ["refused"] * count, "the refusal")
        self.proxy.sent.clear()
        time.sleep(PEACE_S)
        tried = bytes(self.proxy.sent)
        for command in (b"APPEND", b"STORE", b"COPY", b"MOVE", b"EXPUNGE"):
            assert command not in tried, tried
        assert tried.count(b"\r\n") < 10, tried
        rows = self.queue()
        status = self.daemon.status()[0]
        assert (status["refused"], status["pending"], status["held"]) == \
            (count, 0, 0)
        assert f"    {count} changes were refused: see `mailmount queue`" in \
            self.daemon.command("status").stdout
        answer = self.daemon.command("sync", "--timeout", "20")
        assert answer.returncode == os.EX_UNAVAILABLE
        for row in rows:
            assert row["why"] != "" and \
                row["why"] in self.daemon.command("queue").stdout
        return rows

    def retry(self, count=1):
        answer = self.daemon.command("retry")
        assert answer.stdout.startswith(f"test: {count} "), answer
        answer = self.daemon.command("sync", "--timeout", "20")
        assert (answer.returncode, answer.stderr) == (os.EX_OK, "")
        assert self.queue() == []

    def bodies(self, mailbox="INBOX"):
        return sorted(lf(body) for body, *_
                      in self.client.messages(mailbox).values())

    def allow(self, mailbox, rights):
        kind, answer = self.client.imap.setacl(mailbox, self.user, rights)
        assert kind == "OK", answer
        self.proxy.cut()  # Dovecot keeps to what was so at the beginning


@pytest.fixture
def made(daemons, strict, user):
    with Proxy(strict.port) as proxy, \
            Client(strict.port, user, strict.password) as client:
        for mailbox in ("Archive", "Lists"):
            assert client.create(mailbox)
        daemon = daemons(server=f"imap://localhost:{proxy.port}", tls="none",
                         user=user, password=strict.password)
        yield Account(daemon, proxy, client, user)


def test_over_quota(made, tmp_path):
    for n in range(3):
        assert made.client.append("INBOX", MAIL % (n, n) + b"x\r\n" * 2000)
    made.daemon.start()
    bodies = [MAIL % (n, n) + b"y\n" * 1500 for n in (10, 11)]
    made.deliver("INBOX", "10.q", bodies[0])
    made.deliver("INBOX", "11.q", bodies[1])
    rows = made.refused(2)
    assert [(row["what"], row["folder"], row["name"]) for row in rows] == \
        [("append", "INBOX", "10.q"), ("append", "INBOX", "11.q")]
    assert all("uota" in row["why"] for row in rows), rows
    # They are here, whole, also after a restart.
    assert made.daemon.stop() == os.EX_OK
    made.daemon.start()
    assert made.path("INBOX", "10.q").read_bytes() == bodies[0]
    assert os.getxattr(made.path("INBOX", "11.q"), "user.mailmount.state") == \
        b"refused"
    # They can be saved elsewhere.
    answer = made.daemon.command("queue", "--export", tmp_path / "saved")
    assert (answer.returncode, answer.stderr) == \
        (os.EX_OK, f"{tmp_path}/saved: 2 messages exported\n")
    assert sorted(path.read_bytes() for path in
                  (tmp_path / "saved/new").iterdir()) == sorted(bodies)
    # Other changes are none the worse.
    subprocess.run(["rm", next(path for path in
                               made.daemon.folder().files()
                               if not path.name.endswith(".q"))], check=True)
    process.wait_until(lambda: len(made.client.messages("INBOX")) == 2,
                       "the removal")
    for mailbox in ("INBOX", "Trash"):
        made.client.select(mailbox, readonly=False)
        made.client.imap.store("1:*", "+FLAGS", r"(\Deleted)")
        made.client.imap.expunge()
    made.retry(2)
    assert made.bodies() == sorted(bodies)
    process.wait_until(
        lambda: sorted(os.listdir(made.daemon.mount / "INBOX/new")) ==
        ["10.q", "11.q"], "what the other client removed")


def test_too_big(made):
    made.daemon.start()
    made.deliver("INBOX", "1.big", MAIL % (1, 1) + b"x\n" * 6000)
    made.deliver("INBOX", "2.small", MAIL % (2, 2))
    rows = made.refused()
    assert rows[0]["name"] == "1.big"
    assert made.bodies() == [MAIL % (2, 2)]
    # It goes as any file does.
    made.path("INBOX", "1.big").unlink()
    assert made.queue() == []
    assert made.daemon.command("sync", "--timeout", "20").returncode == \
        os.EX_OK


def test_nul_is_not_sent(made):
    made.daemon.start()
    body = MAIL % (1, 1) + b"a\0b\n"
    made.deliver("INBOX", "1.nul", body)
    rows = made.refused()
    assert rows[0]["name"] == "1.nul"
    assert b"APPEND" not in made.proxy.sent
    assert made.bodies() == []
    assert made.path("INBOX", "1.nul").read_bytes() == body
    # It is sent when it is mended.
    made.path("INBOX", "1.nul").write_bytes(MAIL % (1, 1))
    process.wait_until(lambda: made.bodies() == [MAIL % (1, 1)], "APPEND")
    process.wait_until(lambda: made.queue() == [], "the queue's end")


def test_no_permission_to_add(made):
    made.allow("Lists", "lrswtea")
    made.daemon.start()
    made.deliver("Lists", "1.p", MAIL % (1, 1))
    rows = made.refused()
    assert "ermission" in rows[0]["why"]
    assert made.path("Lists", "1.p").read_bytes() == MAIL % (1, 1)
    made.allow("Lists", "lrswteai")
    made.retry()
    assert made.bodies("Lists") == [MAIL % (1, 1)]
    assert os.listdir(made.daemon.mount / "Lists/new") == ["1.p"]


def test_no_permission_to_change(made):
    """A mailbox that can only be read: no flags, no removal, no move."""
    for n in range(3):
        assert made.client.append("Lists", MAIL % (n, n), r"\Seen")
    made.allow("Lists", "lr")
    made.daemon.start()
    flag, remove, move = sorted(made.daemon.folder("Lists").files())
    kept = {path.name: path.read_bytes() for path in (flag, remove, move)}
    # Each is done here, or has a clear errno; and is not lost.
    outcomes = []
    for act in (lambda: os.rename(flag, str(flag) + "F"),
                lambda: os.unlink(remove),
                lambda: os.rename(move, made.daemon.mount / "Archive/cur" /
                                  move.name)):
        try:
            act()
            outcomes.append(0)
        except OSError as error:
            outcomes.append(error.errno)
    assert set(outcomes) <= {0, errno.EROFS, errno.EACCES}, outcomes
    made.refused(outcomes.count(0))
    assert made.bodies("Lists") == sorted(kept.values())
    made.allow("Lists", "lrswteai")
    made.retry(outcomes.count(0))
    assert len(made.bodies("Lists")) == 3 - outcomes[1:].count(0)
    assert len(made.bodies("Archive")) == (outcomes[2] == 0)


def test_mailbox_gone_while_mail_waits(made):
    """Another client deletes the mailbox: what waits for it is not lost."""
    made.daemon.start()
    made.daemon.folder("Lists").files()
    made.proxy.stall_after(0)
    made.deliver("Lists", "1.gone", MAIL % (1, 1))
    assert made.client.imap.delete("Lists")[0] == "OK"
    made.proxy.cut()
    made.proxy.resume()
    answer = made.daemon.command("sync", "--timeout", "40", timeout=60)
    assert (answer.returncode, answer.stderr) == (os.EX_OK, "")
    assert made.bodies("Lists") == [MAIL % (1, 1)]
    assert made.path("Lists", "1.gone").read_bytes() == MAIL % (1, 1)
