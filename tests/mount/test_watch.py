"""Programs that watch the mount are told what other clients did."""
import json
import os
import select
import shutil
import signal
import subprocess

import pytest
from conftest import account
from daemon import PROGRAM
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

    client.store("INBOX", 2, r"\Deleted")
    marked = second.replace("/new/", "/cur/") + ":2,T"
    watcher.expect(("MOVED_FROM", second), ("MOVED_TO", marked))
    client.expunge("INBOX", 2)
    watcher.expect(("DELETE", marked))
    assert paths(mail) == sorted([flagged, answered], key=os.path.basename)


def test_every_server_s_changes_are_told(server, authority, daemons, watch):
    """By polling, where there is nothing better; each by its right name."""
    with Client(server.port, "bob", server.password) as other:
        prefix = "INBOX." if server.separator == "." else ""
        wires = [f"{prefix}Watch{letter}" for letter in "AB"]
        for wire in wires:
            assert other.create(wire)
        daemon = daemons(**account(authority, server), interval="1s",
                         folders="INBOX Watch*").start()
        process.wait_until((daemon.mount / "WatchB").exists, "the mailboxes")
        assert arrived(daemon, 0, "WatchA") == arrived(daemon, 0, "WatchB")
        here = watch(daemon.mount, "WatchA/new", "WatchA/cur")
        there = watch(daemon.mount, "WatchB/new", "WatchB/cur")

        assert other.append(wires[0], HEAD % b"watched" + b"1\r\n", r"\Seen")
        [name] = arrived(daemon, 1, "WatchA")
        here.expect(("MOVED_TO", name))
        other.select(wires[0], readonly=False)
        other.imap.copy("1", Client.quoted(wires[1]))
        for flag, letters in ((r"\Flagged", "FS"), (r"\Deleted", "FST")):
            other.imap.store("1", "+FLAGS", f"({flag})")
            if server.name != "mailutils":  # it keeps flags to the session
                flagged = f"{name.partition(':')[0]}:2,{letters}"
                here.expect(("MOVED_FROM", name), ("MOVED_TO", flagged))
                name = flagged
        other.imap.expunge()
        other.imap.close()
        here.expect(("DELETE", name))
        there.expect(("MOVED_TO", arrived(daemon, 1, "WatchB")[0]))
        assert daemon.stop() == 0
        for wire in wires:
            other.imap.delete(wire)


def test_what_cannot_be_changed_can_be_watched(quick, mail, client, watch):
    quick["read_only"] = "yes"
    mail.write_config({"test": quick})
    mail.start()
    arrived(mail, 0)
    watcher = watch(mail.mount, "INBOX/new")
    client.append("INBOX", HEAD % b"locked" + b"1\r\n")
    watcher.expect(("MOVED_TO", arrived(mail, 1)[0]))


def test_what_is_announced_is_here(quick, mail, client, watch):
    """Whoever opens what it hears of need not wait, nor sees an estimate."""
    mail.start()
    assert arrived(mail, 0) == []
    watcher = watch(mail.mount, "INBOX/new")
    body = HEAD % b"complete" + b"line\r\n" * 1000
    client.append("INBOX", body)
    process.wait_until(watcher.events, "the arrival")
    [path] = arrived(mail, 1)
    watcher.expect(("MOVED_TO", path))
    found = (mail.mount / path).stat()
    assert found.st_size == len(body) - body.count(b"\r\n")
    assert found.st_blocks > 0


def test_a_move_elsewhere_is_seen_in_both_mailboxes(quick, mail, client,
                                                    watch):
    client.append("INBOX", HEAD % b"moving" + b"1\r\n", r"\Seen")
    mail.start()
    [old] = arrived(mail, 1)
    arrived(mail, 0, "Sent")
    here = watch(mail.mount, "INBOX/cur")
    there = watch(mail.mount, "Sent/cur")
    client.select("INBOX", readonly=False)
    assert client.imap.uid("MOVE", "1", "Sent")[0] == "OK"
    here.expect(("DELETE", old))
    there.expect(("MOVED_TO", arrived(mail, 1, "Sent")[0]))


@pytest.mark.parametrize("layout, name",
                         [("nested", "Lists/{}"), ("maildir++", ".Lists.{}")])
def test_mailboxes_come_and_go(quick, mail, client, watch, layout, name):
    quick["layout"] = layout
    mail.write_config({"test": quick})
    client.create("Lists/first")
    mail.start()
    first, second = name.format("first"), name.format("second")
    process.wait_until((mail.mount / first).exists, "the first")
    watcher = watch(mail.mount, os.path.dirname(first) or ".")
    client.create("Lists/second")
    watcher.expect(("CREATE,ISDIR", second))
    assert (mail.mount / second / "cur").is_dir()
    assert client.imap.delete("Lists/first")[0] == "OK"
    process.wait_until(lambda: not (mail.mount / first).exists(), "its end")
    if layout == "nested":
        watcher.expect(("DELETE,ISDIR", first))


def test_what_a_program_did_is_told_once(quick, mail, client, watch):
    client.append("INBOX", HEAD % b"mine" + b"1\r\n")
    mail.start()
    [path] = arrived(mail, 1)
    watcher = watch(mail.mount, "INBOX/new", "INBOX/cur")
    seen = path.replace("/new/", "/cur/") + ":2,S"
    os.rename(mail.mount / path, mail.mount / seen)
    watcher.expect(("MOVED_FROM", path), ("MOVED_TO", seen))
    (mail.mount / "INBOX/tmp/mine").write_bytes(b"Subject: mine\n\nhere\n")
    os.rename(mail.mount / "INBOX/tmp/mine", mail.mount / "INBOX/new/mine")
    watcher.expect(("MOVED_TO", "INBOX/new/mine"))
    assert mail.command("sync").returncode == 0
    # Both came back from the server before this did.
    client.append("INBOX", HEAD % b"theirs" + b"1\r\n", r"\Flagged")
    process.wait_until(watcher.events, "the last")
    [theirs] = [name for name in paths(mail) if name.endswith("F")]
    watcher.expect(("MOVED_TO", theirs))


def injectors(daemon):
    """The children of the daemon that are called so."""
    pids = subprocess.run(
        ["pgrep", "-x", "mailmount-watch", "-P", str(daemon.process.pid)],
        text=True, capture_output=True).stdout.split()
    return [int(pid) for pid in pids]


def test_many_at_once_are_one(quick, mail, client, messages, watch):
    mail.start()
    arrived(mail, 0)
    watcher = watch(mail.mount, "INBOX/new", "INBOX/cur")
    client.append("INBOX", HEAD % b"first" + b"1\r\n", "", 1_600_000_000)
    watcher.expect(("MOVED_TO", arrived(mail, 1)[0]))
    [pid] = injectors(mail)
    os.kill(pid, signal.SIGSTOP)
    messages(2000, lines=0)
    found = set(arrived(mail, 2001))  # it does not wait for the injector
    os.kill(pid, signal.SIGCONT)
    client.append("INBOX", HEAD % b"last" + b"1\r\n", "", 1_800_000_000)
    last = arrived(mail, 2002)[-1]
    process.wait_until(lambda: ("MOVED_TO", last) in watcher.events(),
                       "the last")
    names = [name for event, name in watcher.events() if event == "MOVED_TO"]
    assert len(names) == len(watcher.events()) == len(set(names))
    assert set(names) <= found | {last}
    assert 2 <= len(names) < 1200


def test_another_injector_follows_one_that_died(quick, mail, client, watch):
    client.append("INBOX", HEAD % b"0" + b"0\r\n", "", 1_700_000_000)
    mail.start()
    arrived(mail, 1)
    watcher = watch(mail.mount, "INBOX/new")
    assert injectors(mail) == []  # until it is needed
    client.append("INBOX", HEAD % b"1" + b"1\r\n", "", 1_700_000_001)
    watcher.expect(("MOVED_TO", arrived(mail, 2)[1]))
    [pid] = injectors(mail)
    os.kill(pid, signal.SIGKILL)
    # The mount goes on, whoever watches it.
    client.append("INBOX", HEAD % b"2" + b"2\r\n", "", 1_700_000_002)
    arrived(mail, 3)
    process.wait_until(lambda: injectors(mail) not in ([], [pid]) or
                       not client.append("INBOX", HEAD % b"3" + b"\r\n"),
                       "another", timeout=30)
    assert "there will be another" in mail.log_text()
    assert len(injectors(mail)) == 1
    assert mail.stop() == 0


def test_the_mount_is_not_busy(quick, mail, client, watch):
    mail.start()
    arrived(mail, 0)
    watcher = watch(mail.mount, "INBOX/new")
    for number in range(3):
        client.append("INBOX", HEAD % b"busy" + b"1\r\n", "",
                      1_700_000_000 + number)
        watcher.expect(("MOVED_TO", arrived(mail, number + 1)[-1]))
    [pid] = injectors(mail)
    watcher.stop()
    subprocess.run(["fusermount3", "-u", mail.mount], check=True, timeout=10)
    process.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "its end")
    assert mail.process.wait(10) == 0


class Events:
    """`mailmount events`."""

    def __init__(self, daemon, *accounts):
        self.process = subprocess.Popen(
            [PROGRAM, "events", *accounts], env=daemon.environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.next()["event"] == "watching"

    def next(self):
        assert select.select([self.process.stdout], [], [], TIMEOUT_S)[0]
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.kill()
        self.process.communicate()


def test_events_are_lines(quick, mail, client):
    """Also of mailboxes that nobody looked at."""
    mail.start()
    arrived(mail, 0)
    events = Events(mail)
    try:
        client.append("Sent", HEAD % b"sent" + b"1\r\n", "", 1_700_000_000)
        event = events.next()
        path = event.pop("path")
        assert event == {"event": "arrived", "account": "test"}
        assert path.startswith(f"{mail.mount}/Sent/new/1700000000.")
        assert os.path.exists(path)
        for flag, letters in ((r"\Seen", "S"), (r"\Deleted", "ST")):
            client.store("Sent", 1, flag)
            base = os.path.basename(path).partition(":")[0]
            old, path = path, f"{mail.mount}/Sent/cur/{base}:2,{letters}"
            assert events.next() == {"event": "changed", "account": "test",
                                     "path": path, "old": old}
        client.expunge("Sent", 1)
        assert events.next() == {"event": "removed", "account": "test",
                                 "path": path}
        mail.stop()
        assert events.process.wait(TIMEOUT_S) == os.EX_UNAVAILABLE
    finally:
        events.stop()


def test_a_reader_that_does_not_read_loses_lines(quick, mail, messages,
                                                 client):
    mail.start()
    arrived(mail, 0)
    slow = Events(mail)
    try:
        slow.process.send_signal(signal.SIGSTOP)
        messages(3000, lines=0)
        arrived(mail, 3000)
        client.append("Sent", HEAD % b"sent" + b"1\r\n")
        arrived(mail, 1, "Sent")
        slow.process.send_signal(signal.SIGCONT)
        kinds = [slow.next()["event"]]
        while kinds[-1] != "lost":
            kinds.append(slow.next()["event"])
        assert set(kinds[:-1]) == {"arrived"} and len(kinds) < 3000
    finally:
        slow.stop()


def test_the_hook_is_told(quick, mail, client, tmp_path):
    quick["hook"] = (f'echo "$MAILMOUNT_ACCOUNT $MAILMOUNT_ARRIVED '
                     f'$MAILMOUNT_CHANGED $MAILMOUNT_REMOVED $@" '
                     f'>> {tmp_path}/told; cat "$1" > {tmp_path}/body')
    mail.write_config({"test": quick})
    mail.start()
    arrived(mail, 0)
    client.append("INBOX", HEAD % b"hook" + b"1\r\n")
    told = tmp_path / "told"
    process.wait_until(lambda: told.exists() and told.read_text(), "the hook")
    [path] = arrived(mail, 1)
    assert told.read_text() == f"test 1 0 0 {mail.mount / path}\n"
    process.wait_until(lambda: (tmp_path / "body").read_bytes().endswith(
        b"1\n"), "the body")
    client.store("INBOX", 1, r"\Seen")
    process.wait_until(lambda: told.read_text().count("\n") == 2, "the flag")
    assert told.read_text().splitlines()[1] == "test 0 1 0 "


def test_one_hook_at_a_time(quick, mail, client, tmp_path):
    """What comes while it runs is for the next run, all of it."""
    quick["hook"] = (f'echo "$MAILMOUNT_ARRIVED" >> {tmp_path}/told; '
                     f'until [ -e {tmp_path}/go ]; do sleep 0.1; done')
    mail.write_config({"test": quick})
    mail.start()
    arrived(mail, 0)
    events = Events(mail)
    try:
        for number in range(4):
            client.append("INBOX", HEAD % b"hook" + b"1\r\n", "",
                          1_700_000_000 + number)
            assert events.next()["event"] == "arrived"
            if number == 0:
                process.wait_until((tmp_path / "told").exists, "the first run")
    finally:
        events.stop()
    assert (tmp_path / "told").read_text() == "1\n"
    (tmp_path / "go").touch()
    process.wait_until(lambda: (tmp_path / "told").read_text() == "1\n3\n",
                       "the second run")
    assert mail.stop() == 0


def test_mutt_shows_an_arrival_by_itself(quick, mail, client, terminal,
                                         tmp_path):
    client.append("INBOX", HEAD % b"before" + b"1\r\n")
    mail.start()
    arrived(mail, 1)
    (tmp_path / "muttrc").write_text(
        f'set mbox_type=Maildir folder="{tmp_path}" mail_check=1 timeout=1\n'
        f'set index_format="subject <%s>"\n')
    mutt = terminal(f"mutt -n -R -F {tmp_path}/muttrc "
                    f"-f {mail.folder().path}")
    mutt.wait_for("subject <before>")
    client.append("INBOX", HEAD % b"after" + b"2\r\n")
    mutt.wait_for("subject <after>")
