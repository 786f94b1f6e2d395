#!/usr/bin/python3
"""Time mailmount beside others, in turns, on the same private Dovecot.

Usage: compare.py BUILD [listing] [scan] [million]

Every figure printed was measured in this run.  Ratios are of medians, to what
the smallest client possible needs for the same bytes (bench/imap_raw.c).
"""
import contextlib
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from servers import process, tls  # noqa: E402
from servers.client import Client  # noqa: E402
from servers.dovecot import Dovecot  # noqa: E402

ROUNDS = 5
DELAY_MS = 10  # one way: 20 ms a round trip


def timed(*command, good=(0,), source=subprocess.DEVNULL, **more):
    """Seconds, and what it printed.  What ran before leaves it no writes."""
    os.sync()
    began = time.monotonic()
    done = subprocess.run([str(word) for word in command], text=True,
                          errors="replace", capture_output=True,
                          stdin=source, **more)
    if done.returncode not in good:
        sys.exit(f"{command[0]}: {done.stderr}")
    return time.monotonic() - began, done.stdout


class Bench:
    """A server, its mail, and the programs that are compared."""

    def __init__(self, build, **options):
        """options: the server's."""
        self.build = pathlib.Path(build).resolve()
        self.base = process.make_base("mailmount-bench-")
        self.authority = tls.Authority(self.base / "tls")
        self.server = Dovecot(self.base / "server",
                              self.authority.issue("server"),
                              **options).start()
        self.runs = 0
        self.mounted = None

    def close(self):
        self.unmount()
        self.server.stop()
        process.remove(self.base)

    def fill(self, user, count, size):
        seconds, _ = timed(self.build / "bench/fill", self.server.port, user,
                           self.server.password, "INBOX", count, size)
        print(f"filled: {count:,} messages of {size:,} bytes "
              f"in {seconds:.1f} s", flush=True)

    def raw(self, user, mode, port=None):
        return timed(self.build / "bench/imap_raw", "tls",
                     port or self.server.tls_port, user, self.server.password,
                     "INBOX", mode)[0]

    def home(self):
        """A new home directory: nothing known, nothing cached."""
        self.runs += 1
        path = self.base / f"home{self.runs}"
        (path / "mail").mkdir(parents=True)
        return path

    def mount(self, home, user, port=None, **options):
        """Mount in the background; returns seconds until it stands."""
        options = {"server": f"imaps://localhost:"
                             f"{port or self.server.tls_port}", "user": user,
                   "password": self.server.password,
                   "tls-ca": self.authority.ca, **options}
        config = home / "conf"
        config.write_text("[account bench]\n" + "".join(
            f"{key} = {value}\n" for key, value in options.items()))
        config.chmod(0o600)
        self.mounted = home / "mail"
        self.environment = dict(os.environ, HOME=str(home),
                                XDG_STATE_HOME=str(home / "state"),
                                XDG_CACHE_HOME=str(home / "cache"))
        self.config = config
        seconds, _ = timed(self.build / "cli/mailmount", "--config", config,
                           self.mounted, env=self.environment)
        return seconds

    def unmount(self):
        if self.mounted:
            pid = self.pid()
            timed(self.build / "cli/mailmount", "-u", self.mounted)
            process.wait_until(lambda: not os.path.exists(f"/proc/{pid}/fd/0"),
                               "the daemon's end", 30)
        self.mounted = None

    def pid(self):
        _, text = timed(self.build / "cli/mailmount", "--config", self.config,
                        "status", "--json", env=self.environment,
                        good=(os.EX_OK, os.EX_UNAVAILABLE))
        return int(re.search(r'"pid": (\d+)', text).group(1))

    def peak_kb(self):
        text = pathlib.Path(f"/proc/{self.pid()}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", text).group(1))

    def list_all(self):
        """ls of the whole INBOX: (seconds, how many)."""
        seconds, text = timed("sh", "-c", "ls -U INBOX/cur INBOX/new | "
                              "grep -c '^[0-9]'", cwd=self.mounted)
        return seconds, int(text)


def line(name, seconds, than=None):
    middle = statistics.median(seconds)
    ratio = f"{middle / statistics.median(than):9.2f}" if than else " " * 9
    print(f"  {name:44} {middle:9.3f} s {ratio}   "
          f"({min(seconds):.3f} to {max(seconds):.3f})", flush=True)


def listing(bench, count=100_000):
    print(f"== listing: {count:,} messages never seen before")
    bench.fill("listing", count, 500)
    raw, whole, only, warm, warm_only, down, down_only = ([] for _ in range(7))
    for _ in range(ROUNDS):
        raw.append(bench.raw("listing", "metadata"))
        home = bench.home()
        mounting = bench.mount(home, "listing")
        seconds, found = bench.list_all()
        assert found == count, found
        whole.append(mounting + seconds)
        only.append(seconds)
        bench.unmount()
        mounting = bench.mount(home, "listing")
        seconds, found = bench.list_all()
        assert found == count, found
        warm.append(mounting + seconds)
        warm_only.append(seconds)
        bench.unmount()
        [nowhere] = process.free_ports(1)
        mounting = bench.mount(home, "listing", nowhere)
        seconds, found = bench.list_all()
        assert found == count, found
        down.append(mounting + seconds)
        down_only.append(seconds)
        bench.unmount()
    line("raw client: the same metadata, dropped", raw)
    line("mailmount start to end of ls", whole, raw)
    line("of that, ls after the mount stood", only, raw)
    line("restarted with its index, start to end of ls", warm, raw)
    line("of that, ls after the mount stood", warm_only, raw)
    line("restarted, the server down", down, raw)
    line("of that, ls after the mount stood", down_only, raw)


def mbsync(bench, home, port, extra=""):
    """A first sync into a Maildir, with its defaults; returns seconds."""
    (home / "near-sub").mkdir()
    config = home / "mbsyncrc"
    config.write_text(
        f"{extra}IMAPAccount a\nHost localhost\nPort {port}\nUser scan\n"
        f"Pass {bench.server.password}\nSSLType IMAPS\n"
        f"CertificateFile {bench.authority.ca}\n\n"
        f"IMAPStore far\nAccount a\n\n"
        f"MaildirStore near\nInbox {home}/near\nPath {home}/near-sub/\n\n"
        f"Channel c\nFar :far:\nNear :near:\nPatterns INBOX\nSync Pull\n"
        f"Create Near\nSyncState *\n")
    return timed("mbsync", "-q", "-c", config, "c")[0]


@contextlib.contextmanager
def far_away(bench):
    """A port behind which the server is 20 ms off."""
    [port] = process.free_ports(1)
    proxy = process.start([bench.build / "bench/delay_proxy", str(port),
                           str(bench.server.tls_port), str(DELAY_MS)],
                          bench.base / "proxy")
    try:
        process.wait_until(lambda: process.is_open(port), "the proxy")
        yield port
    finally:
        process.stop(proxy)


def scan(bench, count=20_000, size=9_800):
    print(f"== scan: grep through {count:,} messages never opened, "
          f"{count * size / 1e6:.0f} MB, {2 * DELAY_MS} ms away")
    bench.fill("scan", count, size)
    with Client(bench.server.port, "scan", bench.server.password) as client:
        client.append("INBOX", b"Subject: x\r\n\r\nneedle in it\r\n")
    raw, grep, sync, hasty = [], [], [], []
    with far_away(bench) as port:
        for _ in range(ROUNDS):
            raw.append(bench.raw("scan", "bodies", port))
            bench.mount(bench.home(), "scan", port)
            bench.list_all()
            seconds, text = timed("grep", "-rl", "needle", "INBOX",
                                  cwd=bench.mounted)
            assert len(text.splitlines()) == 1, text
            grep.append(seconds)
            bench.unmount()
            sync.append(mbsync(bench, bench.home(), port))
            hasty.append(mbsync(bench, bench.home(), port, "FSync no\n\n"))
    line("raw client: all bodies, dropped", raw)
    line("grep -r on the mount", grep, raw)
    line("mbsync, first sync, as it is", sync, raw)
    line("mbsync, first sync, told not to fsync", hasty, raw)


def million(bench, count=1_000_000):
    print(f"== million: {count:,} messages in one mailbox")
    bench.fill("million", count, 300)
    raw = [bench.raw("million", "metadata")]
    mounting = bench.mount(bench.home(), "million", timeout="600s")
    seconds, found = bench.list_all()
    assert found == count, found
    line("raw client: the same metadata, dropped", raw)
    line("mailmount start to end of first ls", [mounting + seconds], raw)
    line("ls again", [bench.list_all()[0]], raw)
    line("find -name", [timed("find", "INBOX", "-name", "*:2,S",
                              cwd=bench.mounted)[0]], raw)
    names = sorted(os.listdir(bench.mounted / "INBOX/cur"))
    began = time.monotonic()
    for name in names[::len(names) // 100]:
        (bench.mounted / "INBOX/cur" / name).read_bytes()
    line("100 messages from all over, one by one",
         [time.monotonic() - began])
    index = sum(path.stat().st_size
                for path in bench.mounted.parent.rglob("index.db*"))
    print(f"  the daemon's memory at its highest: "
          f"{bench.peak_kb() / 1024:.0f} MB")
    print(f"  index on disk: {index / count:.0f} bytes a message")
    bench.unmount()


BENCHES = {"listing": listing, "scan": scan, "million": million}


def main():
    for name in sys.argv[2:] or BENCHES:
        bench = Bench(sys.argv[1])
        try:
            BENCHES[name](bench)
        finally:
            bench.close()


if __name__ == "__main__":
    main()
