"""Programs that watch the mount are told what other clients did."""
import os
import shutil
import signal
import subprocess

import pytest
from servers import process
from servers.client import Client
from servers.corpus import HEAD

pytestmark = pytest.mark.skipif(not shutil.which("inotifywait"),
                                reason="inotify-tools is not installed")
TIMEOUT_S = 15


class Watcher:
    """inotifywait on some directories; its lines as (event, "dir/name")."""

    EVENTS = "create,delete,move,attrib"

    def __init__(self, mount, *directories, events=EVENTS):
        self.mount = mount
        self.out = mount.parent / f"events-{directories[0]}".replace("/", "-")
        self.process = process.start(
            ["inotifywait", "-m", "-e", events, "--format", "%e %w%f",
             *(str(mount / name) for name in directories)], self.out)
        process.wait_until(lambda: "established" in self.text(), "inotifywait")

    def text(self):
        return self.out.read_text(errors="replace")

    def events(self):
        found = []
        for line in self.text().splitlines():
            event, path = line.split(" ", 1)
            if path.startswith(f"{self.mount}/"):
                found.append((event, os.path.relpath(path, self.mount)))
        return found

    def expect(self, *expected):
        """Those events, in this order, and no other."""
        process.wait_until(lambda: len(self.events()) >= len(expected),
                           f"{expected}, not {self.events()}")
        assert self.events() == list(expected)
        self.process.send_signal(signal.SIGSTOP)  # no line is half written
        self.out.write_text("")
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def watch():
    started = []

    def make(*arguments, **more):
        started.append(Watcher(*arguments, **more))
        return started[-1]
    yield make
    for watcher in started:
        watcher.stop()


@pytest.fixture
def quick(options):
    options["interval"] = "1s"
    return options


def paths(daemon, mailbox="INBOX"):
    """Of all messages, the oldest first."""
    found = [os.path.relpath(path, daemon.mount)
             for path in daemon.folder(mailbox).files()]
    return sorted(found, key=os.path.basename)


def arrived(daemon, count, mailbox="INBOX"):
    process.wait_until(lambda: len(paths(daemon, mailbox)) == count,
                       f"{count} messages")
    return paths(daemon, mailbox)


def test_each_change_elsewhere_is_one_event(quick, mail, client, watch):
    client.append("INBOX", HEAD % b"first" + b"1\r\n", "", 1_700_000_000)
    mail.start()
    [first] = arrived(mail, 1)
    watcher = watch(mail.mount, "INBOX/new", "INBOX/cur")

    client.append("INBOX", HEAD % b"second" + b"2\r\n", "", 1_700_000_001)
    second = arrived(mail, 2)[1]
    watcher.expect(("MOVED_TO", second))

    client.append("INBOX", HEAD % b"third" + b"3\r\n", r"\Seen", 1_700_000_002)
    third = arrived(mail, 3)[2]
    assert third.startswith("INBOX/cur/") and third.endswith(":2,S")
    watcher.expect(("MOVED_TO", third))

    client.store("INBOX", 1, r"\Flagged")
    flagged = first.replace("/new/", "/cur/") + ":2,F"
    watcher.expect(("MOVED_FROM", first), ("MOVED_TO", flagged))

    client.store("INBOX", 3, r"\Answered")
    answered = third.replace(":2,S", ":2,RS")
    watcher.expect(("MOVED_FROM", third), ("MOVED_TO", answered))

    client.expunge("INBOX", 2)
    watcher.expect(("DELETE", second))
    assert paths(mail) == sorted([flagged, answered], key=os.path.basename)
