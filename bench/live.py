#!/usr/bin/python3
"""What it costs to stay true to the server, in bytes on the wire.

Usage: live.py BUILD [SECONDS]

A mailbox of 100,000 with 10 changes, after a while off line, with QRESYNC and
with CONDSTORE, beside mbsync's second run; then SECONDS (600) of idling with
50 mailboxes.  Every figure printed was measured in this run.
"""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/mount")]
os.environ["MAILMOUNT"] = str(pathlib.Path(sys.argv[1]).resolve()
                              / "cli/mailmount")

from daemon import Daemon  # noqa: E402
from mbsync import prepare  # noqa: E402
from servers import process, tls  # noqa: E402
from servers.client import Client  # noqa: E402
from servers.dovecot import Dovecot  # noqa: E402
from servers.proxy import Proxy  # noqa: E402
from test_resync import fill  # noqa: E402

COUNT, MAILBOXES = 100_000, 50


@contextlib.contextmanager
def mailmount(server, disable="X-NOTHING"):
    with Proxy(server.port) as proxy:
        daemon = Daemon(process.make_base(), user="bench", tls="none",
                        server=f"imap://localhost:{proxy.port}",
                        password=server.password, disable=disable)
        try:
            yield daemon, proxy
        finally:
            daemon.clean()


def change(client, flag):
    """Five flags, one removal, four arrivals: three more than before."""
    client.select("INBOX", readonly=False)
    client.imap.store("500:504", "+FLAGS", f"({flag})")
    client.imap.store("2000", "+FLAGS", r"(\Deleted)")
    client.imap.expunge()
    fill(client, "INBOX", 4)


def resync(server, client, disable, flag):
    with mailmount(server, disable) as (daemon, proxy):
        daemon.start()
        inbox = daemon.folder()
        before = len(inbox.files())
        daemon.stop()
        change(client, flag)
        proxy.forget()
        daemon.start()
        process.wait_until(lambda: len(inbox.files()) == before + 3,
                           "the changes", 60)
        process.wait_until(lambda: b" IDLE" in proxy.sent, "idling", 60)
        print(f"resync, without {disable}: {proxy.turns_to_news()} round trips "
              f"after the login, {len(proxy.sent)} bytes sent, "
              f"{proxy.received} received", flush=True)


def resync_mbsync(server, client, base):
    if not shutil.which("mbsync"):
        return
    with Proxy(server.port) as proxy:
        near = base / "mbsync"
        near.mkdir()
        command = prepare(near, proxy.port, "bench", server.password,
                          "Sync Pull\nCreate Near\n", "FSync no\n\n")
        subprocess.run(command, check=True, capture_output=True)
        change(client, r"\Draft")
        proxy.forget()
        subprocess.run(command, check=True, capture_output=True)
        print(f"resync, mbsync: {len(proxy.turns)} round trips, "
              f"{len(proxy.sent)} bytes sent, {proxy.received} received",
              flush=True)


def idle(server, client, seconds):
    for number in range(MAILBOXES - 3):  # INBOX, Sent and Trash are there
        client.create(f"Mailbox {number}")
    with mailmount(server) as (daemon, proxy):
        daemon.start()
        daemon.folder().files()
        process.wait_until(lambda: b" IDLE" in proxy.sent, "idling", 60)
        stat = pathlib.Path(f"/proc/{daemon.process.pid}/stat")

        def ticks():
            fields = stat.read_text().rsplit(")", 1)[1].split()
            return int(fields[11]) + int(fields[12])
        before, sent, received = ticks(), len(proxy.sent), proxy.received
        time.sleep(seconds)
        cpu_s = (ticks() - before) / os.sysconf("SC_CLK_TCK")
        print(f"idle, {MAILBOXES} mailboxes, {seconds} s: CPU {cpu_s:.2f} s "
              f"({cpu_s / seconds:.3%}), {len(proxy.sent) - sent} bytes sent, "
              f"{proxy.received - received} received", flush=True)


def main():
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 600
    base = process.make_base()
    server = Dovecot(base / "dovecot",
                     tls.Authority(base / "tls").issue("good"))
    try:
        server.start()
        with Client(server.port, "bench", server.password) as client:
            fill(client, "INBOX", COUNT)
            resync(server, client, "X-NOTHING", r"\Flagged")
            resync(server, client, "QRESYNC", r"\Answered")
            resync_mbsync(server, client, base)
            idle(server, client, seconds)
    finally:
        server.stop()
        process.remove(base)


main()
