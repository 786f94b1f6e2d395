"""A catch-all account: a mailbox for each recipient, of links to INBOX."""
import contextlib
import os
import shutil

import pytest
from servers import pop3, process, recipients
from servers.client import Client
from servers.pop3 import Pop

BODIES = recipients.messages()
TWO = b"Delivered-To: a@x.org\nDelivered-To: b@x.org\nSubject: two\n\nx\n"


class Imap:
    """The usual account, on Dovecot."""

    def __init__(self, server, options, user):
        self.options = dict(options, interval="1s")
        self.server = server
        self.user = user

    def client(self):
        return Client(self.server.port, self.user, self.server.password)

    def put(self, bodies):
        with self.client() as client:
            for body in bodies:
                assert client.append("INBOX", body.replace(b"\n", b"\r\n"),
                                     "", 1_700_000_000)

    add = put

    def bodies(self):
        with self.client() as client:
            return sorted(body.replace(b"\r\n", b"\n")
                          for body, _, _ in client.messages("INBOX").values())

    def remove_first(self):
        with self.client() as client:
            client.expunge("INBOX", min(client.flags("INBOX")))


class PopDrop:
    """The same, as a POP3 drop."""

    def __init__(self, server, user):
        self.options = dict(pop3.account(server, user=user), interval="1s")
        self.server = server
        self.user = user

    def put(self, bodies):
        self.server.put(bodies, self.user)

    def add(self, bodies):
        self.server.add(bodies, self.user)

    def bodies(self):
        found = None
        while found is None:
            with contextlib.suppress(PermissionError), \
                    Pop(self.server.port, self.user) as session:
                found = sorted(body.replace(b"\r\n", b"\n")
                               for body in session.bodies())
                session.quit()
        return found

    def remove_first(self):
        def is_removed():
            with contextlib.suppress(PermissionError), \
                    Pop(self.server.port, self.user) as session:
                return session.do("DELE 1").startswith(b"+OK") and \
                    session.quit()
            return False
        process.wait_until(is_removed, "the deletion")


@pytest.fixture(params=["imap", "pop3"])
def account(request, user):
    if request.param == "pop3":
        return PopDrop(request.getfixturevalue("dovecot_pop"), user)
    return Imap(request.getfixturevalue("dovecot"),
                request.getfixturevalue("options"), user)


@pytest.fixture
def split(account, daemons):
    """Mount it: split(way, bodies, option=...)."""
    def make(way, bodies, **options):
        account.put(bodies)
        daemon = daemons(**{**account.options, "split": way, **options})
        daemon.start()
        process.wait_until(
            lambda: daemon.status()[0]["messages"] == len(bodies), "INBOX")
        return daemon
    return make


def inbox(daemon):
    return daemon.folder().files()


def boxes(daemon):
    """{address: Folder} of what is below Recipients."""
    root = daemon.mount / "Recipients"
    if not root.exists():
        return {}
    return {name: daemon.folder(f"Recipients/{name}")
            for name in os.listdir(root)}


def shown(daemon):
    with contextlib.suppress(FileNotFoundError):  # it moves as we look
        return {name: box.bodies() for name, box in boxes(daemon).items()}
    return None


def only(daemon, name):
    path, = daemon.folder(name).files()
    return path


def letters(path):
    return path.name.partition(":2,")[2]


@pytest.mark.parametrize("way", recipients.WAYS)
def test_each_recipient_has_a_mailbox(split, way):
    daemon = split(way, BODIES)
    expected = recipients.expected(way)
    process.wait_until(lambda: shown(daemon) == expected,
                       f"{expected}")
    assert sorted(daemon.folder().bodies()) == sorted(BODIES)
    own = {path.stat().st_ino: path for path in inbox(daemon)}
    names = dict.fromkeys(own, 1)
    for box in boxes(daemon).values():
        for path in box.files():
            number = path.stat().st_ino
            names[number] += 1
            assert path.name == own[number].name
    for number, path in own.items():
        assert path.stat().st_nlink == names[number]


def test_domains(split):
    daemon = split("delivered-to", BODIES, domains="example.com, example.org")
    expected = recipients.expected("delivered-to", {"example.org"})
    assert 0 < len(expected) < len(recipients.expected("delivered-to"))
    process.wait_until(lambda: shown(daemon) == expected, f"{expected}")
    assert sorted(daemon.folder().bodies()) == sorted(BODIES)


def test_flags_are_those_of_the_message(split, account):
    daemon = split("delivered-to", [TWO])
    process.wait_until(lambda: len(boxes(daemon)) == 2, "two mailboxes")
    names = ["INBOX", "Recipients/a@x.org", "Recipients/b@x.org"]
    flags = ""
    for name, letter in zip(names, "SFR"):
        flags = "".join(sorted(flags + letter))
        path = only(daemon, name)
        base = path.name.partition(":")[0]
        path.rename(path.parent.parent / "cur" / f"{base}:2,{flags}")
        assert {letters(only(daemon, other)) for other in names} == {flags}
    if isinstance(account, Imap):
        with account.client() as client:
            process.wait_until(
                lambda: set(client.flags("INBOX")[1]) - {r"\Recent"} ==
                {r"\Seen", r"\Flagged", r"\Answered"}, "the flags")
            client.store("INBOX", 1, r"\Draft")
        process.wait_until(lambda: {letters(only(daemon, other))
                                    for other in names} == {"DFRS"}, "Draft")


def test_a_name_goes_alone_and_the_last_takes_the_message(split, account):
    other = b"Subject: another\n\n"
    daemon = split("delivered-to", [TWO, other])
    process.wait_until(lambda: len(boxes(daemon)) == 2, "two mailboxes")
    for name in ("Recipients/b@x.org", "INBOX"):
        for path in daemon.folder(name).files():
            if path.read_bytes() == TWO:
                path.unlink()
        assert daemon.command("sync").returncode == os.EX_OK
        assert account.bodies() == sorted([TWO, other])
    assert daemon.folder().bodies() == [other]
    left = only(daemon, "Recipients/a@x.org")
    assert left.stat().st_nlink == 1
    # It stays so without what was fetched, and can be fetched again.
    assert daemon.stop() == 0
    shutil.rmtree(daemon.base / "cache")
    daemon.start()
    assert daemon.folder("Recipients/a@x.org").bodies() == [TWO]
    assert daemon.folder("Recipients/b@x.org").bodies() == []
    assert daemon.folder().bodies() == [other]
    only(daemon, "Recipients/a@x.org").unlink()
    process.wait_until(lambda: account.bodies() == [other], "the removal")


def test_what_others_remove_goes_from_all(split, account):
    daemon = split("delivered-to", [TWO])
    process.wait_until(lambda: len(boxes(daemon)) == 2, "two mailboxes")
    account.remove_first()
    process.wait_until(lambda: not inbox(daemon), "the removal")
    assert shown(daemon) == {"a@x.org": [], "b@x.org": []}


def test_all_of_it_is_ours_and_made_again(split, account):
    daemon = split("delivered-to", BODIES)
    expected = recipients.expected("delivered-to")
    process.wait_until(lambda: shown(daemon) == expected, f"{expected}")
    names = {name: sorted(path.name for path in box.files())
             for name, box in boxes(daemon).items()}
    if isinstance(account, Imap):
        with account.client() as client:
            assert not [name for name in client.names()
                        if "Recipients" in name]
    for lost in ([], ["cache"], ["state", "cache"]):
        assert daemon.stop() == 0
        for name in lost:
            shutil.rmtree(daemon.base / name)
        daemon.start()
        process.wait_until(lambda: shown(daemon) == expected, f"{lost}")
        assert names == {name: sorted(path.name for path in box.files())
                         for name, box in boxes(daemon).items()}


def test_news_are_split_and_told(split, account):
    daemon = split("delivered-to", [TWO])
    process.wait_until(lambda: len(boxes(daemon)) == 2, "two mailboxes")
    before = daemon.mount / "Recipients/a@x.org/new"
    seen = before.stat().st_mtime_ns
    new = TWO.replace(b"two", b"three")
    account.add([new])
    process.wait_until(
        lambda: daemon.folder("Recipients/a@x.org").bodies() ==
        sorted([TWO, new]), "the news")
    assert before.stat().st_mtime_ns > seen


def test_maildirpp(split):
    daemon = split("delivered-to", [TWO], layout="maildir++")
    where = daemon.mount / ".Recipients.a@x%2Eorg/new"
    process.wait_until(where.exists, "the mailbox")
    path, = where.iterdir()
    assert path.read_bytes() == TWO


def test_what_is_kept_is_split(dovecot_pop, user, daemons):
    """With keep = no the message is a file here; its names stay links."""
    drop = PopDrop(dovecot_pop, user)
    drop.put([TWO])
    daemon = daemons(**{**drop.options, "keep": "no",
                        "split": "delivered-to"}).start()
    process.wait_until(lambda: not drop.bodies(), "an empty drop")
    process.wait_until(lambda: len(boxes(daemon)) == 2, "two mailboxes")
    only(daemon, "INBOX").unlink()
    assert daemon.stop() == 0
    shutil.rmtree(daemon.base / "cache")
    daemon.start()
    assert shown(daemon) == {"a@x.org": [TWO], "b@x.org": [TWO]}
    assert only(daemon, "Recipients/a@x.org").samefile(
        only(daemon, "Recipients/b@x.org"))


def test_a_message_moves_to_a_mailbox_of_the_server(dovecot, options, user,
                                                    daemons):
    box = Imap(dovecot, options, user)
    with box.client() as client:
        assert client.create("Archive")
    box.put([TWO])
    daemon = daemons(**{**box.options, "split": "delivered-to"}).start()
    process.wait_until(lambda: len(boxes(daemon)) == 2, "two mailboxes")
    path = only(daemon, "Recipients/a@x.org")
    path.rename(daemon.mount / "Archive/cur" / (path.name + ":2,S"))
    assert daemon.command("sync").returncode == os.EX_OK
    with box.client() as client:
        assert len(client.messages("Archive")) == 1
        assert len(client.messages("INBOX")) == 1
    assert shown(daemon) == {"a@x.org": [], "b@x.org": [TWO]}
