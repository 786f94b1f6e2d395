"""POP3: what the server holds, the mount shows; and the drop stays free."""
import contextlib
import os

from daemon import NAME
from drops import COPY, DATED, Cutter, counted, truth
from servers import process
from servers.client import lf
from servers.pop3 import Pop
from servers.proxy import Script


def test_every_message_is_there_byte_for_byte(pop, mounted, authority):
    expected = counted(lf(body) for body in truth(pop))
    daemon = mounted(pop, authority.ca)
    assert daemon.folders() == ["INBOX"]
    found = counted(daemon.folder().bodies())
    missing, extra = expected - found, found - expected
    assert not missing and not extra, (
        [body[:80] for body in missing], [body[:80] for body in extra])
    for path in daemon.folder().files():
        assert path.stat().st_size == len(path.read_bytes())
    assert sum(found[body] for body in found if b"Two of" in body) == 2
    # The drop is as it was.
    assert counted(map(lf, truth(pop))) == expected


def test_an_idle_mount_leaves_the_drop_free(dovecot_pop, mounted, user):
    """Dovecot lets nobody in beside a session."""
    dovecot_pop.put([b"Subject: %d\n\nx\n" % n for n in range(5)], user)
    daemon = mounted(dovecot_pop, user=user)
    for path in daemon.folder().files():
        assert path.read_bytes()
        assert len(truth(dovecot_pop, user)) == 5
        assert daemon.status()[0]["online"]


def test_a_drop_in_use_is_told_and_passes(mounted, daemons):
    greeting = b"+OK hello\r\n"
    with Script([(b"", greeting), (b"CAPA", b"-ERR\r\n"),
                 (b"USER", b"+OK\r\n"),
                 (b"PASS", b"-ERR [IN-USE] locked\r\n")]) as server:
        daemon = daemons(server=f"pop3://localhost:{server.port}", tls="none",
                         user="bob", password="x", timeout="5s")
        answer = daemon.command("check")
    assert answer.returncode == os.EX_UNAVAILABLE
    assert "[IN-USE] locked" in answer.stdout


def test_names_outlive_the_cache(dovecot_pop, mounted, user):
    dovecot_pop.put([DATED, COPY.replace(b"\n\n", b"\nDate: Tue, 14 Nov 2023 "
                                         b"22:13:21 +0000\n\n")], user)
    names = []
    for _ in range(2):
        daemon = mounted(dovecot_pop, user=user)
        names.append(sorted(path.name for path in daemon.folder().files()))
        assert daemon.stop() == 0
    assert names[0] == names[1]
    assert [NAME.fullmatch(name).group(1) for name in names[0]] == \
        ["1700000000", "1700000001"]


def test_news_come_and_what_went_goes(dovecot_pop, mounted, user):
    bodies = [b"Subject: %d\n\nx\n" % n for n in range(6)]
    dovecot_pop.put(bodies[:4], user)
    daemon = mounted(dovecot_pop, user=user, interval="1s")
    kept = {path.read_bytes(): path.name for path in daemon.folder().files()}
    assert set(kept) == set(bodies[:4])
    new = dovecot_pop.directory / "mail" / user / "Maildir/new"
    process.wait_until(lambda: remove_first(dovecot_pop, user), "a deletion")
    (new / "1800000000.M1P1.host").write_bytes(bodies[5])
    process.give(new, dovecot_pop.user)

    def is_news():
        with contextlib.suppress(FileNotFoundError):  # it goes as we look
            return set(daemon.folder().bodies()) == {*bodies[1:4], bodies[5]}
    process.wait_until(is_news, "the news")
    for path in daemon.folder().files():
        assert kept.get(path.read_bytes(), path.name) == path.name


def remove_first(server, user):
    with contextlib.suppress(PermissionError), \
            Pop(server.port, user) as session:
        return session.do("DELE 1").startswith(b"+OK") and session.quit()


def test_a_cut_costs_no_message(dovecot_pop, mounted, user):
    """Wherever it is: in the login, the lists or a body."""
    bodies = {b"Subject: %d\n\n" % n + b"line\n" * 200 for n in range(40)}
    dovecot_pop.put(sorted(bodies), user)
    with Cutter(dovecot_pop.port) as proxy:
        daemon = mounted(dovecot_pop, user=user, port=proxy.port)
        found = set()
        for number, path in enumerate(daemon.folder().files()):
            proxy.left = number * 61
            with contextlib.suppress(OSError):
                found.add(path.read_bytes())
        assert found <= bodies
        proxy.left = None
        process.wait_until(lambda: daemon.status()[0]["online"], "on line")
        assert set(daemon.folder().bodies()) == bodies
        for path in daemon.folder().files():
            assert path.stat().st_size == len(path.read_bytes())
