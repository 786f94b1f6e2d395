#!/usr/bin/python3
"""What is written to the mount: acknowledged, and on the server.

Usage: deliver.py BUILD [ROUNDS]

2,000 deliveries, beside the same on the disk below; their way to a server
20 ms away, beside mbsync and a client that only sends; then the commands that
10,000 changed flags and 10,000 moved messages take.  Every figure printed was
measured in this run.
"""
import contextlib
import multiprocessing
import os
import re
import sys
import tempfile
import time

from compare import Bench, far_away, line, timed

from servers import process
from servers.client import Client
from servers.proxy import Proxy

COUNT, SIZE, MANY, PROCESSES = 2000, 6000, 10_000, 4
GROUP = 500  # messages a command of the client that only sends


IMAGE_MIB = 2048


@contextlib.contextmanager
def ext4():
    """All that is written goes to an ext4 of our own, as it is made by default.

    What is here may be another file system, or an ext4 without a journal,
    where to make a file takes longer the more were removed a minute ago.
    """
    if os.geteuid() != 0:
        print(f"== not root: no ext4 of our own; {tempfile.gettempdir()}")
        yield
        return
    base = process.make_base("mailmount-disk-")
    image, disk = base / "image", base / "disk"
    disk.mkdir()
    try:
        with image.open("wb") as file:
            for _ in range(IMAGE_MIB):
                file.write(bytes(1 << 20))
        timed("mkfs.ext4", "-q", "-F", image)
        timed("mount", "-o", "loop", image, disk)
        disk.chmod(0o1777)
        tempfile.tempdir = str(disk)
        yield
    finally:
        tempfile.tempdir = None
        timed("umount", disk, good=(0, 32))
        process.remove(base)


def message(number):
    head = (b"From: ada@example.org\nTo: me@example.org\nSubject: %d\n"
            b"Message-ID: <%d@bench.example.org>\n\n" % (number, number))
    return head + b"All work and no play.\n" * ((SIZE - len(head)) // 22)


MESSAGES = [message(number) for number in range(COUNT)]


def deliver(maildir, first=0, step=1):
    """As a delivery agent does, one after the other."""
    for number in range(first, COUNT, step):
        name = f"{number}.bench.host"
        fd = os.open(f"{maildir}/tmp/{name}",
                     os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(fd, MESSAGES[number])
        os.fsync(fd)
        os.close(fd)
        os.rename(f"{maildir}/tmp/{name}", f"{maildir}/new/{name}")


def deliver_timed(maildir, processes=1):
    os.sync()
    began = time.monotonic()
    if processes == 1:
        deliver(maildir)
    else:
        workers = [multiprocessing.Process(target=deliver,
                                           args=(maildir, n, processes))
                   for n in range(processes)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
    seconds = time.monotonic() - began
    assert len(os.listdir(f"{maildir}/new")) == COUNT
    return seconds


def make_maildir(path):
    for name in ("cur", "new", "tmp"):
        (path / name).mkdir(parents=True)
    return path


def sync(bench):
    return timed(bench.build / "cli/mailmount", "--config", bench.config,
                 "sync", env=bench.environment)[0]


@contextlib.contextmanager
def mounted(bench, home, user, port, **options):
    """Yields the INBOX, and seconds until the mount stood."""
    mounting = bench.mount(home, user, port, **options)
    try:
        os.listdir(bench.mounted / "INBOX/new")
        yield bench.mounted / "INBOX", mounting
    finally:
        bench.unmount()


def deliver_off_line(bench, home, user, port, processes=1):
    """Nothing but the deliveries: the INBOX is known, the server is down."""
    with mounted(bench, home, user, port):
        pass
    [nowhere] = process.free_ports(1)
    with mounted(bench, home, user, nowhere) as (inbox, _):
        return deliver_timed(inbox, processes)


def check(bench, user, count=COUNT):
    with Client(bench.server.port, user, bench.server.password) as client:
        client.select("INBOX")
        found = len(client.imap.uid("SEARCH", "ALL")[1][0].split())
        assert found == count, (user, found)


def push_mbsync(bench, maildir, user, port):
    """All that is there goes to the server."""
    (maildir.parent / "sub").mkdir()
    config = maildir.parent / "mbsyncrc"
    config.write_text(
        f"IMAPAccount a\nHost localhost\nPort {port}\nUser {user}\n"
        f"Pass {bench.server.password}\nSSLType IMAPS\n"
        f"CertificateFile {bench.authority.ca}\n\n"
        f"IMAPStore far\nAccount a\n\n"
        f"MaildirStore near\nInbox {maildir}\nPath {maildir.parent}/sub/\n\n"
        f"Channel c\nFar :far:\nNear :near:\nPatterns INBOX\nSync Push\n"
        f"SyncState *\n")
    return timed("mbsync", "-q", "-c", config, "c")[0]


def push_raw(bench, user, port):
    """MULTIAPPEND and LITERAL+, no answer awaited but the last."""
    text = bytearray()
    for first in range(0, COUNT, GROUP):
        text += b"x%d APPEND INBOX" % first
        for body in MESSAGES[first:first + GROUP]:
            body = body.replace(b"\n", b"\r\n")
            text += b' () "01-Jan-2024 10:00:00 +0000" {%d+}\r\n' % len(body)
            text += body
        text += b"\r\n"
    script = bench.base / "script"
    script.write_bytes(text)
    with open(script, "rb") as source:
        began = time.monotonic()
        timed(bench.build / "bench/imap_raw", "tls", port, user,
              bench.server.password, "INBOX", "send", source=source)
        return time.monotonic() - began


def deliveries(bench, rounds):
    print(f"== deliver: {COUNT:,} messages of {SIZE:,} bytes, each synced; "
          f"the server 20 ms away")
    disk, alone, ours, disk4, ours4 = [], [], [], [], []
    felt, pushed, mbsync, raw = [], [], [], []
    with far_away(bench) as port:
        for number in range(rounds):
            local = make_maildir(bench.home() / "maildir")
            disk.append(deliver_timed(local))
            home, user = bench.home(), f"push{number}"
            alone.append(deliver_off_line(bench, home, user, port))
            with mounted(bench, home, user, port) as (_, mounting):
                pushed.append(mounting + sync(bench))
            check(bench, user)
            raw.append(push_raw(bench, f"raw{number}", port))
            check(bench, f"raw{number}")
            mbsync.append(push_mbsync(bench, local, f"mbsync{number}", port))
            check(bench, f"mbsync{number}")
            # On line: what is there goes up while more comes.
            user = f"felt{number}"
            with mounted(bench, bench.home(), user, port) as (inbox, _):
                ours.append(deliver_timed(inbox))
                felt.append(sync(bench))
            check(bench, user)
            disk4.append(deliver_timed(
                make_maildir(bench.home() / "maildir"), PROCESSES))
            ours4.append(deliver_off_line(bench, bench.home(),
                                          f"four{number}", port, PROCESSES))
    line("ext4: all delivered", disk, disk)
    line("the mount, off line: all delivered", alone, disk)
    line("the mount, on line: all delivered", ours, disk)
    line(f"ext4, {PROCESSES} processes", disk4, disk4)
    line(f"the mount, {PROCESSES} processes", ours4, disk4)
    line("client that only sends", raw, raw)
    line("mbsync, all of a Maildir", mbsync, raw)
    line("mailmount, start to the end of sync", pushed, raw)
    line("mailmount on line, last delivery to end of sync", felt, raw)
    line("the last but one, beside mbsync", pushed, mbsync)
    line("the last, beside mbsync", felt, mbsync)
    line("from the first delivery: mailmount",
         [a + b for a, b in zip(ours, felt)])
    line("from the first delivery: ext4 and mbsync",
         [a + b for a, b in zip(disk, mbsync)])


COMMAND = re.compile(rb"^[A-Z]\d+ (?:UID )?([A-Z]+)", re.M)


def count_commands(bench, proxy, act, what):
    """What act took, from its beginning until the server has it."""
    proxy.forget()
    seconds, _ = act()
    seconds_sync = sync(bench)
    sent = bytes(proxy.sent)
    names = COMMAND.findall(sent)
    print(f"  {what}: {seconds:.1f} s, on the server after "
          f"{seconds_sync:.1f} s more; {len(names)} commands, "
          f"{len(sent):,} bytes sent, {proxy.received:,} received", flush=True)
    assert b"BODY" not in sent and b"APPEND" not in sent
    print("   ", ", ".join(f"{names.count(name)} {name.decode()}"
                           for name in sorted(set(names))))


def commands(bench):
    print(f"== commands: {MANY:,} messages")
    bench.fill("many", MANY, 500)
    with Client(bench.server.port, "many", bench.server.password) as client:
        client.create("Archive")
        client.select("INBOX", readonly=False)
        client.imap.store("1:*", "FLAGS.SILENT", "()")
    with Proxy(bench.server.port) as proxy, \
            mounted(bench, bench.home(), "many", proxy.port,
                    server=f"imap://localhost:{proxy.port}",
                    tls="none") as (inbox, _):
        assert bench.list_all()[1] == MANY
        sync(bench)

        def flag():
            began = time.monotonic()
            for name in os.listdir(inbox / "new"):
                os.rename(inbox / "new" / name, inbox / "cur" / f"{name}:2,S")
            return time.monotonic() - began, None
        count_commands(bench, proxy, flag, f"{MANY:,} flags by rename")
        count_commands(bench, proxy, lambda: timed(
            "sh", "-c", "mv INBOX/cur/* Archive/cur/", cwd=bench.mounted),
            f"mv of {MANY:,} messages")
    with Client(bench.server.port, "many", bench.server.password) as client:
        client.select("INBOX")
        assert client.imap.uid("SEARCH", "ALL")[1][0] == b""
        client.select("Archive")
        seen = client.imap.uid("SEARCH", "SEEN")[1][0].split()
        assert len(seen) == MANY, len(seen)


# It syncs what it takes, as it does unless told not to.
SERVER = {"format": "maildir:~/Maildir", "extra": "mail_fsync = optimized"}


def measure(run, **server):
    bench = Bench(sys.argv[1], **server)
    try:
        run(bench)
    finally:
        bench.close()


def main():
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    measure(commands)
    with ext4():
        measure(lambda bench: deliveries(bench, rounds), **SERVER)


if __name__ == "__main__":
    main()
