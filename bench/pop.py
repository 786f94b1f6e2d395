#!/usr/bin/python3
"""Time mailmount beside mpop and fetchmail: a whole POP3 drop, 20 ms away.

Usage: pop.py BUILD [ROUNDS]

Every figure printed was measured in this run.  fetchmail runs once: it takes
minutes.
"""
import contextlib
import email.utils
import os
import pathlib
import sys

from compare import DELAY_MS, line, timed

from servers import process, tls
from servers.pop3 import DovecotPop

COUNT, SIZE = 2000, 9_500


def bodies():
    """In the order of their dates, as mail is."""
    for number in range(COUNT):
        date = email.utils.formatdate(1_700_000_000 + 60 * number).encode()
        head = (b"Received: from a by b; %s\nFrom: ada@example.org\n"
                b"Subject: %d\n\n" % (date, number))
        yield head + b"All work and no play.\n" * ((SIZE - len(head)) // 22)


@contextlib.contextmanager
def far_away(build, server, base):
    [port] = process.free_ports(1)
    proxy = process.start([build / "bench/delay_proxy", str(port),
                           str(server.port), str(DELAY_MS)], base / "proxy")
    try:
        process.wait_until(lambda: process.is_open(port), "the proxy")
        yield port
    finally:
        process.stop(proxy)


def write_private(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


def mailmount(build, home, server, port):
    """From the start until every body was read."""
    mount = home / "mail"
    mount.mkdir()
    config = write_private(
        home / "conf", f"[account a]\nserver = pop3://localhost:{port}\n"
        f"tls = none\nuser = bob\npassword = {server.password}\n")
    environment = dict(os.environ, HOME=str(home),
                       XDG_STATE_HOME=str(home / "state"),
                       XDG_CACHE_HOME=str(home / "cache"))
    try:
        return timed("sh", "-c", f"'{build}/cli/mailmount' --config {config} "
                     f"{mount} && cat {mount}/INBOX/*/* | grep -c ^Subject "
                     f"| grep -qx {COUNT}", env=environment)[0]
    finally:
        timed(build / "cli/mailmount", "-u", mount)


def mpop(home, server, port):
    maildir = home / "maildir"
    for name in ("cur", "new", "tmp"):
        (maildir / name).mkdir(parents=True)
    config = write_private(
        home / "mpoprc", f"account default\nhost localhost\nport {port}\n"
        f"tls off\nauth user\nuser bob\npassword {server.password}\n"
        f"keep on\nreceived_header off\nuidls_file {home}/uidls\n"
        f"delivery maildir {maildir}\n")
    seconds = timed("mpop", "-q", "-C", config)[0]
    assert len(os.listdir(maildir / "new")) == COUNT
    return seconds


def fetchmail(home, server, port):
    config = write_private(
        home / "fetchmailrc", f"poll localhost protocol pop3 port {port}\n"
        f"user bob password {server.password} sslproto '' keep fetchall\n"
        f"bsmtp {home}/bsmtp\n")
    return timed("fetchmail", "-s", "-N", "-f", config, "--pidfile",
                 home / "pid", env=dict(os.environ, FETCHMAILHOME=str(home),
                                        HOME=str(home)))[0]


def run(build, rounds, base):
    server = DovecotPop(base / "server", tls.Authority(base / "tls").issue("s"))
    times = {"mpop": [], "mailmount": [], "fetchmail": []}

    def home(name, number):
        path = base / f"{name}{number}"
        path.mkdir()
        return path

    try:
        server.start()
        server.put(bodies())
        with far_away(build, server, base) as port:
            for number in range(rounds):
                times["mpop"].append(mpop(home("mpop", number), server, port))
                times["mailmount"].append(
                    mailmount(build, home("mailmount", number), server, port))
            times["fetchmail"].append(
                fetchmail(home("fetchmail", 0), server, port))
    finally:
        server.stop()
    print(f"== pop: {COUNT:,} messages, {COUNT * SIZE / 1e6:.0f} MB, "
          f"{2 * DELAY_MS} ms away; ratios to mpop")
    line("mpop, into a Maildir", times["mpop"], times["mpop"])
    line("mailmount, mount and cat", times["mailmount"], times["mpop"])
    line("fetchmail, into one file", times["fetchmail"], times["mpop"])


def main():
    base = process.make_base("mailmount-bench-")
    try:
        run(pathlib.Path(sys.argv[1]).resolve(),
            int(sys.argv[2]) if len(sys.argv) > 2 else 3, base)
    finally:
        process.remove(base)


if __name__ == "__main__":
    main()
