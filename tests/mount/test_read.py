"""What every server holds, the mount shows: all of it, byte for byte."""
import collections
import os
import stat
import time

import pytest
from conftest import account
from daemon import NAME, letters
from servers import corpus
from servers.client import Client, lf

FLAG_LETTERS = {r"\Draft": "D", r"\Flagged": "F", r"\Answered": "R",
                r"\Seen": "S", r"\Deleted": "T"}


@pytest.fixture(scope="module")
def shown(request, server, authority):
    """(mount of the filled account, what imaplib sees)"""
    from daemon import Daemon
    from servers import process
    daemon = Daemon(process.make_base(), **account(authority, server))
    request.addfinalizer(daemon.clean)
    with Client(server.port, "bob", server.password) as client:
        truth = {name: client.messages(name) for name in client.names()}
        daemon.start()
        yield daemon, truth
        # Reading has not touched a flag.
        for name, before in truth.items():
            after = client.messages(name)
            assert {uid: m[1] - {r"\Recent"} for uid, m in after.items()} == \
                {uid: m[1] - {r"\Recent"} for uid, m in before.items()}


def as_multiset(bodies):
    return collections.Counter(bodies)


def test_the_corpus_is_there(shown):
    """Else the tests below would compare nothing with nothing."""
    _, truth = shown
    assert len(truth["INBOX"]) >= len(corpus.ODD) - 6
    assert len(truth) >= 5


def test_every_mailbox_is_listed_and_no_other(shown):
    daemon, truth = shown
    assert len(daemon.folders()) == len(truth)


def test_every_message_is_there_byte_for_byte(shown):
    daemon, truth = shown
    expected = as_multiset(lf(body) for messages in truth.values()
                           for body, _, _ in messages.values())
    found = as_multiset(body for name in daemon.folders()
                        for body in daemon.folder(name).bodies())
    missing, extra = expected - found, found - expected
    assert not missing and not extra, (
        [body[:80] for body in missing], [body[:80] for body in extra])


def test_sizes_are_those_of_the_bytes(shown):
    daemon, _ = shown
    for path in daemon.folder("INBOX").files():
        body = path.read_bytes()
        assert path.stat().st_size == len(body), path


def test_flags_and_dates_are_the_servers(shown, server):
    daemon, truth = shown
    began = time.time() - 3600

    def date_of(date):
        # Mailutils dates a message without a date anew in each session.
        return 0 if server.invents_dates and date > began else date

    expected = as_multiset(
        (lf(body), "".join(sorted(FLAG_LETTERS[flag] for flag in flags
                                  if flag in FLAG_LETTERS)), date_of(date))
        for body, flags, date in truth["INBOX"].values())
    found = as_multiset((path.read_bytes(), letters(path),
                         date_of(int(path.stat().st_mtime)))
                        for path in daemon.folder("INBOX").files())
    assert as_multiset((f, d) for _, f, d in found.elements()) == \
        as_multiset((f, d) for _, f, d in expected.elements())
    assert found == expected


def test_only_messages_without_flags_are_new(shown):
    daemon, _ = shown
    inbox = daemon.folder("INBOX").path
    for name in os.listdir(inbox / "new"):
        assert ":" not in name
    for name in os.listdir(inbox / "cur"):
        assert NAME.fullmatch(name).group(4) is not None, name
    assert any(os.listdir(inbox / "new"))


def test_names_cannot_leave_the_mount(shown):
    daemon, _ = shown
    for directory, names, files in os.walk(daemon.mount):
        for name in [*names, *files]:
            assert name not in (".", "..") and "/" not in name
            assert all(ord(char) >= 32 for char in name)
        status = os.stat(directory)
        assert status.st_dev == os.stat(daemon.mount).st_dev
    for place in ("state", "cache"):
        root = daemon.base / place / "mailmount"
        assert [path.name for path in root.iterdir()] == ["test"]
        assert stat.S_IMODE((root / "test").stat().st_mode) == 0o700
    assert {path.name for path in daemon.base.iterdir()} == {
        "config", "state", "cache", "home", "mail", "run", "log"}
