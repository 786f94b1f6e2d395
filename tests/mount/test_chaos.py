"""Everybody at once: programs on a mount, other clients of the server, a line
that is cut, a daemon that is killed.  Afterwards the server, the mount and a
fresh mount have what they are to have, and at no time did a listing lie.

    MAILMOUNT_CHAOS_SECONDS   how long (60)
    MAILMOUNT_CHAOS_SERVER    dovecot, minimal, cyrus, courier
    MAILMOUNT_CHAOS_SEED      which of all the courses it may take; the rest is
                              up to the machine
    MAILMOUNT_CHAOS_KEEP      a directory for what explains a failure
"""
import contextlib
import os
import random
import time

import pytest
from chaos import oracle
from chaos.folders import Folders
from chaos.history import History
from chaos.messages import WRITERS, Ledger, Message, body, wire_flags
from chaos.mounts import Mount
from chaos.programs import (Deliverer, Flagger, Lister, Marker, Mover,
                            Remover)
from chaos.trouble import Killer, Line
from chaos.writers import Writer
from conftest import SERVERS, account
from servers import process
from servers.client import Client

SECONDS = float(os.environ.get("MAILMOUNT_CHAOS_SECONDS", "60"))
SERVER = os.environ.get("MAILMOUNT_CHAOS_SERVER", "dovecot")
SEED = os.environ.get("MAILMOUNT_CHAOS_SEED") or str(random.randrange(10 ** 6))
TWO_SECONDS = 15
# What was sent and not answered is looked for, for a minute.
SETTLED_S = 300
RATE = 10  # of the clock, while that is waited for
KEPT = 30  # in each mailbox
MAILBOXES = ["INBOX", "m0", "m1", "m2"]


@pytest.fixture
def place(request, base, pem, user):
    """(server, user)"""
    if SERVER == "dovecot":
        yield request.getfixturevalue("dovecot"), user
        return
    with contextlib.ExitStack() as stack:
        server = SERVERS[SERVER](base / "chaos", pem)
        stack.callback(server.stop)
        yield server.start(), "bob"


class Play:
    """History, judgement, and what both tests do alike."""

    def __init__(self, server, user):
        self.server = server
        self.user = user
        self.chance = random.Random(SEED)
        self.history = History()

    def fill(self, ledger):
        """Messages that nobody will touch."""
        prefix = "INBOX." if self.server.separator == "." else ""
        with Client(self.server.port, self.user,
                    self.server.password) as client:
            for mailbox in MAILBOXES:
                wire = "INBOX" if mailbox == "INBOX" else prefix + mailbox
                assert mailbox == "INBOX" or client.create(wire)
                for number in range(KEPT):
                    token = f"kept-{mailbox}-{number}"
                    flags = "S" if number % 2 else ""
                    assert client.append(
                        wire, body(token).replace(b"\n", b"\r\n"),
                        wire_flags(flags), 1_700_000_000 + number)
                    ledger.add(Message(token, "kept", mailbox, flags))

    def start(self, daemon, ledger):
        """The mount, once it shows those."""
        daemon.watchdog_s = 600
        daemon.start()
        for mailbox in MAILBOXES:
            cur = daemon.mount / mailbox / "cur"
            process.wait_until(cur.is_dir, mailbox)
            for path in daemon.folder(mailbox).files():
                message = ledger.messages.get(
                    oracle.token_of(path.read_bytes()))
                if message:
                    ledger.see(message, path.parent.name, path.name)
        assert all(m.file for m in ledger.messages.values())

    def go(self, programs, seconds):
        for program in programs:
            program.start()
        self.history.is_over.wait(seconds)
        self.history.is_over.set()
        for program in programs:
            program.join(60)
            assert not program.is_alive(), f"{program.name} hangs"

    def hurry(self, daemon, options):
        """Begin it anew, so that the minutes are short in which it looks for
        what was not answered."""
        assert daemon.stop() == 0
        daemon.environment["MAILMOUNT_CLOCK_RATE"] = str(RATE)
        daemon.write_config({"test": options | {"timeout": f"{10 * RATE}s",
                                                "interval": f"{2 * RATE}s"}})
        daemon.start()

    def judge(self, daemons, ledgers, fresh):
        """All have what they are to have; how long that took."""
        judge = oracle.Judge(self.history)
        began = time.monotonic()
        for daemon in daemons:
            if not self.history.faults:
                self.sync(daemon)
        settled = time.monotonic() - began
        if not self.history.faults:
            found, names = oracle.on_server(self.server, self.user)
            wanted = sum((ledger.expected(found) for ledger in ledgers), [])
            judge.same("the server", found, wanted)
            for daemon in daemons:
                judge.becomes("the mount", daemon, found, names)
            judge.becomes("a fresh mount", fresh().start(), found, names)
        oracle.keep(self.history, daemons)
        count = self.history.count
        print(f"chaos: {len(self.history.rows)} calls, "
              f"{count('deliver', 'link')} deliveries, "
              f"{count('rename')} renames, {count('unlink')} removals, "
              f"{count('list')} listings, {count('read')} reads; "
              f"{len(self.history.faults)} faults; "
              f"settled after {settled:.0f} s")
        if self.history.faults:
            pytest.fail(f"seed {SEED}\n{self.history.explain()}",
                        pytrace=False)
        print(f"chaos: {len(found)} messages agree")

    def sync(self, daemon):
        """The server has all that was changed on the mount."""
        done = daemon.command("sync", "--timeout", SETTLED_S * RATE,
                              timeout=SETTLED_S + 30)
        if done.returncode != 0:
            self.history.fault(
                f"sync: {done.returncode} {done.stdout}{done.stderr}"
                + daemon.command("queue").stdout)


@pytest.mark.timeout(SECONDS + 700)
def test_everybody_at_once(place, authority, daemons, capsys):
    server, user = place
    play, ledger = Play(server, user), Ledger()
    line = Line(play.history, SEED, server.tls_port)
    with capsys.disabled(), contextlib.closing(line):
        trash = play.chance.choice([None, "Trash"]) \
            if SERVER == "dovecot" else None
        options = account(authority, server, user) | {
            "timeout": "3s", "interval": "2s",
            "connections": play.chance.randint(1, 3),
            "delete": "trash" if trash else "expunge"}
        print(f"\nchaos: {SERVER}, seed {SEED}, {SECONDS:.0f} s, "
              f"{options['connections']} connections, "
              f"delete {options['delete']}")
        daemon = daemons(**options | {
            "server": f"imaps://localhost:{line.port}"})
        mount = Mount(daemon, play.history)
        play.fill(ledger)
        play.start(daemon, ledger)
        writers = [Writer(play.history, number, SEED, server, user, ledger,
                          MAILBOXES, mount) for number in range(WRITERS)]
        here = (SEED, mount, ledger, MAILBOXES)
        play.go([
            *writers, line, Killer(play.history, SEED, mount),
            Deliverer(play.history, "deliverer", *here),
            Flagger(play.history, "flagger", *here),
            Mover(play.history, "mover", *here),
            Remover(play.history, "remover", *here, trash=trash),
            Folders(play.history, "folders", *here),
            Lister(play.history, "lister", *here)], SECONDS)
        line.mend()
        play.hurry(daemon, options)
        play.judge([daemon], [ledger], lambda: daemons(**options))


@pytest.mark.timeout(TWO_SECONDS + 500)
def test_two_mounts_converge(dovecot, user, authority, daemons, capsys):
    """Each sees what the other does, and both do as much as they can."""
    play = Play(dovecot, user)
    options = account(authority, dovecot, user) | {"interval": "2s"}
    ledgers = Ledger(), Ledger()
    both = [daemons(**options) for _ in ledgers]
    programs = []
    play.fill(ledgers[0])
    for letter, daemon, ledger, others in zip("ab", both, ledgers,
                                              reversed(ledgers)):
        play.start(daemon, ledger)
        mount = Mount(daemon, play.history, f"daemon {letter}")
        here = (SEED, mount, ledger, MAILBOXES)
        lister = Lister(play.history, f"lister-{letter}", *here)
        programs += [
            lister,
            Deliverer(play.history, f"deliverer-{letter}", *here),
            Flagger(play.history, f"flagger-{letter}", *here),
            Mover(play.history, f"mover-{letter}", *here),
            Remover(play.history, f"remover-{letter}", *here, trash="Trash"),
            Folders(play.history, f"folders-{letter}", *here),
            Marker(play.history, f"marker-{letter}", *here, lister=lister,
                   others=others)]
    with capsys.disabled():
        print(f"\nchaos: two mounts, seed {SEED}, {TWO_SECONDS} s")
        play.go(programs, TWO_SECONDS)
        play.judge(both, ledgers, lambda: daemons(**options))
