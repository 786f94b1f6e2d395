"""What the daemon says to the server, seen on the wire."""
import os
import re
import subprocess

from servers import process
from servers.client import lf
from servers.proxy import Proxy
from test_resync import fill

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


COMMAND = re.compile(rb"^M\d+ (?:UID )?(\w+)", re.M)
BURST = 2500


def test_a_burst_is_few_commands(dovecot, daemons, user, client):
    """What is changed while the server is slow goes in ranges, without a body:
    no more of anything than a thousand messages take one."""
    fill(client, "INBOX", BURST)
    client.create("Archive")
    with Proxy(dovecot.port) as proxy:
        daemon = daemons(server=f"imap://localhost:{proxy.port}", user=user,
                         password=dovecot.password, tls="none").start()
        cur, archive = (daemon.mount / name / "cur"
                        for name in ("INBOX", "Archive"))
        assert len(os.listdir(cur)) == BURST and not os.listdir(archive)
        process.wait_until(lambda: b" IDLE" in proxy.sent, "idling")

        def burst(act):
            proxy.sent.clear()
            proxy.stall_after(0)
            act()
            proxy.resume()
            assert daemon.command("sync").returncode == 0
            assert b"BODY" not in proxy.sent and b"APPEND" not in proxy.sent
            names = COMMAND.findall(proxy.sent)
            assert len(names) <= 20, names
            return names

        def flag():
            for name in os.listdir(cur):
                os.rename(cur / name, cur / f"{name}F")
        assert burst(flag).count(b"STORE") == 3
        assert burst(lambda: subprocess.run(
            ["sh", "-c", f"mv {cur}/* {archive}"], check=True)
        ).count(b"MOVE") == 3
        assert daemon.stop() == 0
    assert not client.flags("INBOX")
    assert [flags - {r"\Recent"} for flags in client.flags("Archive").values()] \
        == [{r"\Seen", r"\Flagged"}] * BURST
