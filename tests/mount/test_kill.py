"""Killed at any instant: what was acknowledged is there once, on Dovecot.

Each run is an account of its own, with mail of others.  Its daemon is killed
in the middle of work, twice: at a random time, or at a fault point; over its
dead mount another starts, which may be killed while it recovers.  At each
start the mount shows what was acknowledged, and of the step under way all or
nothing.  In the end the last is left in peace: the server has that too, once;
and after one more death nothing is to be done.

    MAILMOUNT_KILL_RUNS=2000	so many, else 200
    MAILMOUNT_KILL_SEED=N	of the first run; of the next it is N + 1
"""
import collections
import concurrent.futures
import errno
import json
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
import traceback
import pathlib

import pytest
import steps
from daemon import Daemon
from servers import process
from servers.client import Client
from servers.dovecot import Dovecot

RUNS = int(os.environ.get("MAILMOUNT_KILL_RUNS", "200"))
SEED = int(os.environ.get("MAILMOUNT_KILL_SEED", time.time()))
AT_ONCE = 6
# The second for the dust lasts 70 ms, the last look for what was sent comes
# after four seconds: what Dovecot takes later than that may be there twice.
CLOCK_RATE = 15
NOWHERE = "imap://127.0.0.1:1"
QUOTA = f"""
protocol imap {{
  mail_plugins = quota imap_quota
}}
plugin {{
  quota = count:all
  quota_vsizes = yes
  quota_rule = *:messages=10000
  quota_rule2 = {steps.FULL}:messages=-9999
}}
"""
LIVES = 2
STEPS = 14  # of a life
# A death by the clock comes before these seconds, of a life and of a recovery;
# one at a fault point before so many were passed.
LIFE_S, RECOVERY_S = 0.3, 0.12
LIFE_POINTS, RECOVERY_POINTS = 250, 60
FIRST_DATE = 1_700_000_000
STATUS = "(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)"


@pytest.fixture(scope="module")
def server(base, pem):
    dovecot = Dovecot(base / "dovecot-quota", pem, extra=QUOTA).start()
    yield dovecot
    dovecot.stop()


class Run:
    """One account, from its first mail to its end."""

    def __init__(self, server, seed, base):
        self.server = server
        self.random = random.Random(seed)
        self.user = f"kill{seed}"
        self.told = []  # what was done, for whoever reads of a failure
        self.deaths = collections.Counter()
        self.has_trash = self.random.random() < 0.3
        self.options = {
            "user": self.user, "password": server.password, "tls": "none",
            "timeout": "600s", "interval": "1h",
            "delete": "trash" if self.has_trash else "expunge"}
        self.daemon = Daemon(base, server=NOWHERE, **self.options)
        self.steps = steps.Steps(self.random, self.daemon.mount, self.reset)
        self.either = [steps.Model(["INBOX", "a", "b", steps.FULL])]
        self.model = self.either[0]

    def client(self):
        return Client(self.server.port, self.user, self.server.password)

    def reset(self, name):
        """The server numbers a mailbox anew, if it has it by this name."""
        subprocess.run(
            ["doveadm", "-c", self.server.config, "mailbox", "update", "-u",
             self.user, "--uid-validity",
             str(self.random.randrange(1, 2 ** 31)), name],
            capture_output=True)

    def tell(self, what):
        self.told.append(what)

    # The daemon

    def start(self, is_online=True, fault=None, dies_after=None):
        """False: it died before it was up."""
        server = f"imap://localhost:{self.server.port}" if is_online \
            else NOWHERE
        self.daemon.write_config({"test": dict(self.options, server=server)})
        self.daemon.wrapper = ["env", f"MAILMOUNT_CLOCK_RATE={CLOCK_RATE}"] + \
            ([f"MAILMOUNT_FAULT=*:{fault}:kill"] if fault else [])
        self.daemon.start(wait=False)
        if dies_after is not None:
            self.timer = threading.Timer(dies_after, self.daemon.process.kill)
            self.timer.start()
        process.wait_until(lambda: self.is_dead() or self.daemon.is_up(),
                           "the mount")
        return not self.is_dead()

    def is_dead(self):
        return self.daemon.process.poll() is not None

    def begin(self, seconds, points, is_online=True):
        """Start it, to die within seconds, or points; False as of start()."""
        fault = None
        if self.random.random() < 0.5:
            fault = self.random.randrange(1, points)
        self.tell(f"start {'on' if is_online else 'off'} line, " +
                  (f"die at point {fault}" if fault else "die in a while"))
        self.deaths["at a point" if fault else "in a while"] += 1
        after = self.random.uniform(0, seconds)
        # It may pass fewer points.
        return self.start(is_online, fault, 2 * seconds if fault else after)

    def die(self):
        self.timer.join()
        self.daemon.kill()
        self.steps.next.clear()

    # What happens

    def prepare(self):
        """Mail of others; what is in Sent stays, for Full to be over quota."""
        with self.client() as client:
            assert client.append("Sent", b"Subject: kept\r\n\r\n")
            for name in ("a", "b", steps.FULL):
                assert client.create(name)
            for date, name in enumerate(("INBOX", "INBOX", "a", "b"),
                                        FIRST_DATE):
                flags = r"\Seen" * (date % 2)
                assert client.append(name, steps.body(date).replace(
                    b"\n", b"\r\n"), flags, date)
        assert self.start()
        found = steps.shown(self.daemon.mount, ("Sent", "Trash"))
        for name, (_, mails) in found.items():
            self.model.mails[name] = [
                steps.Mail(place, file, int(file.split(".")[0]), False)
                for place, file in mails]
        assert len(self.model.all()) == 4, found
        self.daemon.kill()

    def live(self, is_online):
        if self.begin(LIFE_S, LIFE_POINTS, is_online) and self.resolve():
            for _ in range(STEPS):
                if not self.take_step():
                    break
                time.sleep(self.random.uniform(0, 2 * LIFE_S / STEPS))
        self.die()

    def take_step(self):
        """False: it died."""
        what, act, after = self.steps.draw(self.model)
        self.tell(what)
        try:
            act()
        except OSError as why:
            self.excuse(why)
            self.either.append(after)
            return False
        self.either = [after]
        return self.resolve()

    def excuse(self, why):
        """A call failed: only if the daemon died."""
        if why.errno not in (errno.ENOTCONN, errno.ECONNABORTED):
            raise why
        self.daemon.process.wait(10)
        self.tell(f"  {why.strerror}")

    def resolve(self):
        """The mount shows what was acknowledged; False: it died."""
        try:
            found = steps.shown(self.daemon.mount, ("Sent", "Trash"))
            there = [one for one in self.either if one.shown() == found]
            if len(there) > 1:  # a replacement has the same name
                there = [one for one in there if self.has(one)]
        except OSError as why:
            self.excuse(why)
            return False
        assert there, (found, [one.shown() for one in self.either])
        self.either = there
        self.model = there[-1]
        return True

    def has(self, model):
        """The mount has the contents in which it differs from others."""
        common = set.intersection(*(set(one.all()) for one in self.either))
        for name, mail in set(model.all()) - common:
            path = self.daemon.mount / name / mail.place / mail.name
            try:
                data = path.read_bytes()
            except OSError as why:
                # Only that of others may be on the server alone.
                if why.errno != errno.EHOSTUNREACH:
                    raise
                return mail.token >= FIRST_DATE
            if data != steps.body(mail.token):
                return False
        return True

    def recover_and_die(self):
        if self.begin(RECOVERY_S, RECOVERY_POINTS):
            self.resolve()
        self.die()

    # What must be

    def rest(self):
        """Left in peace; until the server has everything."""
        self.tell("start, in peace")
        assert self.start()
        assert self.resolve()
        refused = sorted((steps.base(mail), "refused")
                         for mail in self.model.mails[steps.FULL])
        expected = os.EX_UNAVAILABLE if refused else os.EX_OK

        def is_sent():
            done = self.daemon.command("sync")
            return done.returncode == expected and \
                bool(refused) == ("refused" in done.stderr)
        process.wait_until(is_sent, "all to be sent", 30)
        assert sorted((row["name"], row["state"])
                      for row in self.queue()) == refused
        assert self.resolve()

    def queue(self):
        """It gives a caller a fifteenth of the usual time: ask until it does."""
        answer = {}

        def is_told():
            (found,) = json.loads(
                self.daemon.command("queue", "--json").stdout)
            answer.update(found)
            return "changes" in found
        process.wait_until(is_told, "the queue", 30)
        return answer["changes"]

    def check(self):
        with self.client() as client:
            found = steps.served(client, ("Sent",))
            states = {name: client.imap.status(client.quoted(name), STATUS)
                      for name in found}
        trash = collections.Counter(token for token, _ in found.pop("Trash"))
        allowed = self.model.deleted if self.has_trash else \
            collections.Counter()
        assert not trash - allowed, "in the Trash"
        expected = self.model.served()
        assert found == expected
        return states

    def files(self):
        found = {}
        for name, mails in self.model.mails.items():
            for mail in mails:
                path = self.daemon.mount / name / mail.place / mail.name
                data = path.read_bytes()
                assert data == steps.body(mail.token), path
                state = path.stat()
                found[path] = (state.st_ino, state.st_size, state.st_mtime_ns)
        return found

    def die_once_more(self):
        """There is nothing to do but to see that something came."""
        self.daemon.kill()
        with self.client() as client:
            assert client.append("Sent", b"Subject: news\r\n\r\n")
        self.rest()
        process.wait_until(
            lambda: len(self.daemon.folder("Sent").files()) == 2, "news", 30)

    def play(self):
        self.prepare()
        for _ in range(LIVES):
            self.live(is_online=self.random.random() < 0.7)
            while self.random.random() < 0.4:
                self.recover_and_die()
        self.rest()
        before = self.check(), self.files()
        self.die_once_more()
        assert (self.check(), self.files()) == before
        assert self.daemon.stop() == 0


def play(server, seed):
    """Its deaths; or text, if it failed."""
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    base = pathlib.Path(tempfile.mkdtemp(prefix="mailmount-kill-", dir=shm))
    run = Run(server, seed, base)
    try:
        run.play()
        return run.deaths
    except BaseException:  # also pytest.fail()
        why = traceback.format_exc()
        return "\n".join([f"MAILMOUNT_KILL_SEED={seed}:", *run.told, why,
                          run.daemon.log_text()[-3000:]])
    finally:
        run.daemon.clean()


@pytest.mark.campaign
@pytest.mark.timeout(900)
@pytest.mark.skipif(not shutil.which("doveadm"), reason="no doveadm")
def test_what_was_acknowledged_is_there_once(server, capsys):
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda seed: play(server, seed),
                                range(SEED, SEED + RUNS)))
    failures = [found for found in results if isinstance(found, str)]
    deaths = sum((found for found in results if not isinstance(found, str)),
                 collections.Counter())
    with capsys.disabled():
        print(f"\nkilled: seeds {SEED} to {SEED + RUNS - 1}, "
              f"{len(failures)} failed; deaths: {dict(deaths)}")
    assert not failures, "\n".join(failures)
