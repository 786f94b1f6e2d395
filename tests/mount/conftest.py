"""Servers that live as long as the run, daemons that live as long as a test."""
import contextlib
import itertools
import os
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from daemon import PROGRAM, Daemon  # noqa: E402
from drops import messages as odd_messages  # noqa: E402
from servers import corpus, pop3, process, tls  # noqa: E402
from servers.client import Client  # noqa: E402
from servers.courier import Courier  # noqa: E402
from servers.cyrus import Cyrus  # noqa: E402
from servers.dovecot import Dovecot, minimal  # noqa: E402
from servers.mailutils import Mailutils  # noqa: E402
from terminal import Terminal  # noqa: E402

DAEMONS = pytest.StashKey()
LOG_SHOWN = 20_000  # characters, the last


def pytest_collection_modifyitems(items):
    why = None
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        why = "NO /dev/fuse HERE: nothing was mounted, nothing is proved"
    elif not shutil.which(PROGRAM):
        raise pytest.UsageError(f"{PROGRAM}: not built; set MAILMOUNT")
    for item in items:
        if why and item.path.parent.name == "mount":
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def base():
    path = process.make_base()
    yield path
    process.remove(path)


@pytest.fixture(scope="session")
def authority(base):
    return tls.Authority(base / "tls")


@pytest.fixture(scope="session")
def pem(authority):
    return authority.issue("good")


@pytest.fixture(scope="session")
def dovecot(base, pem):
    server = Dovecot(base / "dovecot", pem).start()
    yield server
    server.stop()


SERVERS = {
    "dovecot": lambda base, pem: Dovecot(
        base / "dovecot-maildir", pem, format="maildir:~/Maildir"),
    "minimal": lambda base, pem: minimal(base / "minimal", pem),
    "cyrus": lambda base, pem: Cyrus(base / "cyrus", pem, base),
    "courier": lambda base, pem: Courier(base / "courier", pem, base),
    "mailutils": lambda base, pem: Mailutils(base / "mailutils", pem, base),
}


@contextlib.contextmanager
def started(servers, name, base, pem):
    """One of servers, by name; skips what needs it where it cannot run."""
    with contextlib.ExitStack() as stack:
        try:
            running = servers[name](base, pem)
            stack.callback(running.stop)
            running.start()
        except process.Unavailable as why:
            pytest.skip(f"{name}: {why}")
        running.name = name
        yield running


@pytest.fixture(scope="session", params=SERVERS)
def server(request, base, pem):
    """Each real server in turn, bob's account filled with odd mail."""
    with started(SERVERS, request.param, base, pem) as running:
        corpus.fill(lambda: Client(running.port, "bob", running.password),
                    running.separator)
        yield running


@pytest.fixture(scope="session", params=pop3.SERVERS)
def pop(request, base, pem):
    """Each real server in turn, with odd mail."""
    with started(pop3.SERVERS, request.param, base, pem) as running:
        running.put(odd_messages(running.name))
        yield running


@pytest.fixture(scope="session")
def dovecot_pop(base, pem):
    server = pop3.DovecotPop(base / "pop-own", pem)
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def mounted(daemons):
    def mount(server, ca=None, **more):
        options = pop3.account(server, ca, **{
            key: more.pop(key) for key in ("user", "port") if key in more})
        return daemons(**{**options, **more}).start()
    return mount


_users = (f"user{number}" for number in itertools.count(1))


@pytest.fixture
def user():
    """A name nobody has used; Dovecot takes every one."""
    return next(_users)


@pytest.fixture
def client(dovecot, user):
    with Client(dovecot.port, user, dovecot.password) as found:
        yield found


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What the daemons of a test that failed had to say."""
    report = (yield).get_result()
    if report.when == "call" and report.failed:
        for number, daemon in enumerate(item.stash.get(DAEMONS, [])):
            report.sections.append((f"log of daemon {number}",
                                    daemon.log_text()[-LOG_SHOWN:]))


@pytest.fixture
def daemons(request):
    """Make a Daemon(options); all are gone after the test."""
    made = request.node.stash.setdefault(DAEMONS, [])
    with contextlib.ExitStack() as stack:
        def make(**options):
            made.append(Daemon(process.make_base(), **options))
            stack.callback(made[-1].clean)
            return made[-1]
        yield make


@pytest.fixture
def terminal(tmp_path):
    """Make a Terminal(command); all are gone after the test."""
    if not shutil.which("tmux"):
        pytest.skip("tmux is not installed")
    with contextlib.ExitStack() as stack:
        def make(command, **environment):
            made = Terminal(tmp_path, command, **environment)
            stack.callback(made.stop)
            return made
        yield make


@pytest.fixture
def options(authority, dovecot, user):
    """The usual account: on Dovecot, by TLS."""
    return account(authority, dovecot, user)


def account(authority, server, user="bob"):
    return {"server": f"imaps://localhost:{server.tls_port}", "user": user,
            "password": server.password, "tls_ca": authority.ca,
            "timeout": "10s", **server.options}


@pytest.fixture
def mail(daemons, options):
    """A daemon for the usual account; the test starts it."""
    return daemons(**options)


@pytest.fixture
def messages(client):
    """Append count small messages; returns their bodies as on the wire."""
    def append(count, mailbox="INBOX", flags=r"\Seen", lines=20):
        bodies = []
        for number in range(count):
            body = corpus.HEAD % b"message %d" % number
            body += b"line\r\n" * (lines + number % 7)
            assert client.append(mailbox, body, flags, 1_700_000_000 + number)
            bodies.append(body)
        return bodies
    return append
