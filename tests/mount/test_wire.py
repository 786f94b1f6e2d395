"""What the daemon says to the server, seen on the wire."""
import re

from servers import process
from servers.client import lf
from servers.proxy import Proxy

CHANGES = re.compile(
    rb"^\S+ (UID )?(STORE|APPEND|EXPUNGE|COPY|MOVE|CREATE|DELETE|RENAME|"
    rb"SUBSCRIBE|UNSUBSCRIBE|SELECT|CLOSE|SETACL|SETMETADATA)\b", re.M | re.I)


def test_read_only_sends_nothing_that_changes(dovecot, daemons, user, client,
                                              messages):
    bodies = messages(30, flags="")
    with Proxy(dovecot.port) as proxy:
        daemon = daemons(server=f"imap://localhost:{proxy.port}", user=user,
                         password=dovecot.password, tls="none",
                         read_only="yes", interval="1s").start()
        inbox = daemon.folder()
        assert inbox.bodies() == sorted(map(lf, bodies))
        process.wait_until(lambda: proxy.sent.count(b"LIST") >= 2, "a poll")
        assert daemon.stop() == 0
        sent = bytes(proxy.sent)
    assert b"EXAMINE" in sent and b"BODY.PEEK[" in sent
    assert not CHANGES.findall(sent)
    assert not re.search(rb"BODY\[|RFC822[ )]|RFC822\.TEXT", sent)
    assert all(r"\Seen" not in flags
               for flags in client.flags("INBOX").values())


def test_a_listing_asks_for_four_facts(dovecot, daemons, user, messages):
    messages(5)
    with Proxy(dovecot.port) as proxy:
        daemon = daemons(server=f"imap://localhost:{proxy.port}", user=user,
                         password=dovecot.password, tls="none").start()
        assert len(daemon.folder().files()) == 5
        sent = bytes(proxy.sent).upper()
    assert b"ENVELOPE" not in sent and b"BODYSTRUCTURE" not in sent
    assert b"RFC822.SIZE" in sent
    assert b"BODY.PEEK[]" not in sent
