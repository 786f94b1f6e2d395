"""What other clients do appears by itself.

MAILMOUNT_SOON_S: within so much, where the server can push (2 s: a second, and
what a busy machine takes besides).
"""
import os
import time

import pytest
from conftest import account
from servers.client import Client
from servers.process import wait_until
from servers.proxy import Proxy

SOON_S = float(os.environ.get("MAILMOUNT_SOON_S", "2"))
BODY = b"Subject: %s\r\n\r\nhello\r\n"
NEVER = "24h"


def keywords(path):
    try:
        return os.getxattr(path, "user.mailmount.keywords")
    except OSError:  # none, or the name is another by now
        return b""


class Watched:
    """A mailbox of the mount, and another client that changes it."""

    def __init__(self, daemon, other, mailbox, wire, timeout=SOON_S):
        self.folder = daemon.folder(mailbox)
        self.other = other
        self.wire = wire
        self.timeout = timeout

    def names(self):
        return [path.name for path in self.folder.files()]

    def count(self):
        return len(self.names())

    def shows(self, is_true, what):
        """Within the time; how long it took."""
        began = time.monotonic()
        wait_until(is_true, what, self.timeout)
        return time.monotonic() - began

    def append(self):
        before = self.count()
        assert self.other.append(self.wire, BODY % b"one", r"\Seen")
        return self.shows(lambda: self.count() == before + 1, "the arrival")

    def flag(self):
        self._store(r"\Flagged")
        return self.shows(lambda: any(name.endswith(":2,FS")
                                      for name in self.names()), "the flag")

    def keyword(self):
        self._store("Work")
        return self.shows(lambda: any(b"Work" in keywords(path)
                                      for path in self.folder.files()),
                          "the keyword")

    def _store(self, word):
        self.other.select(self.wire, readonly=False)
        answer = self.other.imap.store("1", "+FLAGS", f"({word})")
        assert answer[0] == "OK", answer

    def move(self, target):
        """By COPY and EXPUNGE, which every server has."""
        before, there = self.count(), target.count()
        self.other.select(self.wire, readonly=False)
        self.other.imap.copy("1", Client.quoted(target.wire))
        self.other.imap.store("1", "+FLAGS", r"(\Deleted)")
        self.other.imap.expunge()
        self.other.imap.close()
        self.shows(lambda: target.count() == there + 1, "the copy")
        return self.shows(lambda: self.count() == before - 1, "the removal")


def change_all(first, second, has_flags=True):
    """Each kind of change, in both mailboxes."""
    for a, b in ((first, second), (second, first)):
        a.append()
        if has_flags:
            a.flag()
            a.keyword()
        a.move(b)
        b.other.select(b.wire, readonly=False)
        b.other.imap.store("1:*", "+FLAGS", r"(\Deleted)")
        b.other.imap.expunge()
        b.other.imap.close()
        b.shows(lambda: b.count() == 0, "the removal")


def start(daemon, other, mailboxes, timeout=SOON_S):
    daemon.start()
    found = [Watched(daemon, other, shown, wire, timeout)
             for shown, wire in mailboxes]
    wait_until(lambda: all(w.folder.path.exists() for w in found), "mailboxes")
    for w in found:
        w.names()  # listed
    return found


def test_notify_tells_of_every_mailbox(daemons, options, client):
    client.create("Other")
    daemon = daemons(**options, interval=NEVER)
    watched = start(daemon, client, [("INBOX", "INBOX"), ("Other", "Other")])
    change_all(*watched)


def test_a_new_mailbox_is_told(daemons, options, client):
    daemon = daemons(**options, interval=NEVER).start()
    daemon.folder().files()
    client.create("New")
    wait_until((daemon.mount / "New/cur").exists, "the mailbox", SOON_S)


def test_mailboxes_come_and_go(daemons, options, client):
    """Dovecot does not tell of every name; then the interval counts."""
    daemon = daemons(**options, interval="1s").start()
    daemon.folder().files()
    client.create("Below/it")
    wait_until((daemon.mount / "Below/it/cur").exists, "the mailbox")
    client.imap.rename("Below/it", "Renamed")
    wait_until((daemon.mount / "Renamed/cur").exists, "the name")
    client.imap.delete("Renamed")
    wait_until(lambda: not (daemon.mount / "Renamed").exists(), "the end")


@pytest.mark.parametrize("disable", ["NOTIFY", "NOTIFY, QRESYNC",
                                     "NOTIFY, CONDSTORE"])
def test_idle_tells_of_the_inbox(daemons, options, client, disable):
    daemon = daemons(**options, interval=NEVER, disable=disable)
    inbox, = start(daemon, client, [("INBOX", "INBOX")])
    inbox.append()
    inbox.flag()
    inbox.keyword()
    client.select("INBOX", readonly=False)
    inbox.other.imap.store("1", "+FLAGS", r"(\Deleted)")
    inbox.other.imap.expunge()
    inbox.shows(lambda: inbox.count() == 0, "the removal")


@pytest.mark.parametrize("server", ["dovecot", "cyrus"], indirect=True)
def test_who_can_push_is_heard_at_once(server, authority, daemons):
    """The inbox, by IDLE; nothing else would look at it for a day."""
    with Client(server.port, "bob", server.password) as other:
        daemon = daemons(**account(authority, server), interval=NEVER,
                         folders="INBOX", disable="NOTIFY")
        inbox, = start(daemon, other, [("INBOX", "INBOX")])
        count = inbox.count()
        inbox.append()
        uid = max(other.messages("INBOX"))
        other.store("INBOX", uid, r"\Flagged")
        inbox.shows(lambda: any(name.endswith(":2,FS")
                                for name in inbox.names()), "the flag")
        other.store("INBOX", uid, "Work")
        inbox.shows(lambda: any(b"Work" in keywords(path)
                                for path in inbox.folder.files()),
                    "the keyword")
        other.expunge("INBOX", uid)
        inbox.shows(lambda: inbox.count() == count, "the removal")
        assert daemon.stop() == 0


def test_every_server_is_followed(server, authority, daemons):
    """By polling, where there is nothing better."""
    with Client(server.port, "bob", server.password) as other:
        prefix = "INBOX." if server.separator == "." else ""
        wires = [f"{prefix}Live{letter}" for letter in "AB"]
        for wire in wires:
            assert other.create(wire)
        options = account(authority, server)
        daemon = daemons(**options, interval="1s", folders="INBOX Live*")
        watched = start(daemon, other, [("LiveA", wires[0]),
                                        ("LiveB", wires[1])], timeout=60)
        # Mailutils keeps flags to the session that set them.
        change_all(*watched, has_flags=server.name != "mailutils")
        assert daemon.stop() == 0
        for wire in wires:
            other.imap.delete(wire)


@pytest.mark.parametrize("server", ["cyrus"], indirect=True)
def test_a_message_moved_elsewhere_is_the_same(server, authority, daemons):
    """EMAILID: it keeps name, inode and body, and is not fetched again."""
    with Client(server.port, "bob", server.password) as other, \
            Proxy(server.port) as proxy:
        for wire in ("Moves", "Moves2"):
            assert other.create(wire)
        for number in range(20):
            assert other.append("Moves", BODY % b"moved %d" % number,
                                r"\Seen", 1_700_000_000 + number)
        options = account(authority, server) | {
            "server": f"imap://localhost:{proxy.port}", "tls": "none"}
        del options["tls_ca"]
        daemon = daemons(**options, interval="1s",
                         folders="INBOX Moves*").start()
        moves, target = daemon.folder("Moves"), daemon.folder("Moves2")

        def look(folder):
            return {path.name: (path.stat().st_ino, path.read_bytes())
                    for path in folder.files()}
        wait_until(target.path.exists, "the mailboxes")
        before = look(moves)
        assert len(before) == 20 and look(target) == {}
        proxy.sent.clear()
        other.select("Moves", readonly=False)
        assert other.imap.uid("MOVE", "1:15", "Moves2")[0] == "OK"
        wait_until(lambda: len(target.files()) == 15, "the messages", 20)
        wait_until(lambda: len(moves.files()) == 5, "their end", 20)
        assert look(moves) | look(target) == before
        assert b"BODY.PEEK" not in proxy.sent
        assert daemon.stop() == 0
        for wire in ("Moves", "Moves2"):
            other.imap.delete(wire)
