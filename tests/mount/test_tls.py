"""Nothing secret leaves unless TLS is up and the server is the right one."""
import base64
import os
import pathlib
import re
import resource
import signal
import subprocess
import urllib.parse

import pytest
from conftest import account
from servers import process, tls
from servers.dovecot import Dovecot
from servers.proxy import Proxy, Script

CANARY = "Canary+Pass3141592653"


def forms(secret):
    """The secret as it may be lying about: itself, as in a URL, and in base64
    with each number of bytes before it."""
    yield secret.encode()
    yield secret.encode("utf-16-le")
    encoded = urllib.parse.quote(secret)
    yield encoded.encode()
    yield re.sub("%..", lambda found: found[0].lower(), encoded).encode()
    for skip in range(3):
        coded = base64.b64encode(b"\0" * skip + secret.encode())
        yield coded[4 if skip else 0:-4]


def assert_absent(secret, blob, where):
    for form in forms(secret):
        assert form not in blob, where


def test_forms_find_a_secret():
    """The search above can fail."""
    for skip in range(6):
        coded = base64.b64encode(b"u" * skip + CANARY.encode() + b"x")
        with pytest.raises(AssertionError):
            assert_absent(CANARY, b"AUTH PLAIN " + coded, "here")


BAD = {
    "expired": (lambda ca, dir: ca.issue("expired", days=-1), "expired"),
    "wrong name": (lambda ca, dir: ca.issue("other", "example.org"),
                   "name|match|subject"),
    "self-signed": (lambda ca, dir: ca.self_signed(), "self.signed"),
    "unknown CA": (lambda ca, dir: tls.Authority(dir / "ca", "stranger").issue(
        "stranger"), "issuer|unable to get|not trusted|self.signed"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_certificates_are_refused(what, base, authority, daemons):
    make, reason = BAD[what]
    directory = base / f"bad-{what.replace(' ', '-')}"
    directory.mkdir()
    server = Dovecot(directory / "server", make(authority, directory)).start()
    try:
        options = account(authority, server, "bob") | {"password": CANARY}
        for scheme, port in (("imaps", server.tls_port),
                             ("imap", server.port)):
            with Proxy(port) as proxy:
                options["server"] = f"{scheme}://localhost:{proxy.port}"
                daemon = daemons(**options)
                done = daemon.command("-f", daemon.mount)
                sent = bytes(proxy.sent)
            assert done.returncode == os.EX_NOPERM, done.stderr
            assert re.search(reason, done.stderr, re.I), done.stderr
            assert_absent(CANARY, sent, "the wire")
            assert b"LOGIN" not in sent and b"AUTHENTICATE" not in sent
    finally:
        server.stop()


CAPABILITY = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nTAG OK done\r\n"
DOWNGRADES = {
    "STARTTLS not offered": [
        (b"", b"* OK ready\r\n"), (b"CAPABILITY", CAPABILITY)],
    "STARTTLS refused": [
        (b"", b"* OK ready\r\n"),
        (b"CAPABILITY", CAPABILITY.replace(b"rev1", b"rev1 STARTTLS")),
        (b"STARTTLS", b"TAG NO not today\r\n"),
        (b"CAPABILITY", CAPABILITY)],
    "PREAUTH": [
        (b"", b"* PREAUTH [CAPABILITY IMAP4rev1 AUTH=PLAIN] welcome\r\n"),
        (b"CAPABILITY", CAPABILITY), (b"LIST", b"TAG OK done\r\n")],
    "answers injected after STARTTLS": [
        (b"", b"* OK ready\r\n"),
        (b"CAPABILITY", CAPABILITY.replace(b"rev1", b"rev1 STARTTLS")),
        (b"STARTTLS", b"TAG OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"
                      b"A002 OK injected\r\n")],
    "greeting claims to be logged in": [
        (b"", b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN LOGINDISABLED] hi\r\n"),
        (b"CAPABILITY", CAPABILITY)],
}


@pytest.mark.parametrize("what", DOWNGRADES)
def test_downgrades_are_refused(what, daemons, authority):
    with Script(DOWNGRADES[what]) as server:
        daemon = daemons(server=f"imap://localhost:{server.port}", user="bob",
                         password=CANARY, tls_ca=authority.ca, timeout="3s")
        done = daemon.command("-f", daemon.mount)
        sent = bytes(server.sent)
    assert done.returncode != 0
    assert f"localhost:{server.port}: " in done.stderr, done.stderr
    assert "TLS" in done.stderr, done.stderr
    assert_absent(CANARY, sent, "the wire")
    assert not re.search(rb"LOGIN|AUTHENTICATE", sent)


@pytest.fixture
def canary_server(pem, monkeypatch, request):
    monkeypatch.setattr(Dovecot, "password", CANARY)
    directory = process.make_base()
    mechanism = getattr(request, "param", "plain")
    server = Dovecot(directory / "server", pem,
                     extra=f"auth_mechanisms = {mechanism}").start()
    yield server
    server.stop()
    process.remove(directory)


CERTIFICATES = """\
ssl_ca = <{ca}
ssl_verify_client_cert = yes
ssl_require_crl = no
auth_mechanisms = external
auth_ssl_require_client_cert = yes
auth_ssl_username_from_cert = yes
passdb {{
  driver = static
  args = nopassword=y
}}
"""


def test_a_client_certificate_logs_in(base, pem, authority, daemons):
    """And one that another authority signed does not."""
    stranger = tls.Authority(base / "stranger").issue("bob", host="bob")
    server = Dovecot(base / "certificates", pem,
                     extra=CERTIFICATES.format(ca=authority.ca)).start()
    try:
        options = account(authority, server)
        del options["password"]
        good = authority.issue("bob", host="bob")
        daemon = daemons(**options, tls_cert=good).start()
        daemon.folder().files()
        process.wait_until(lambda: daemon.status()[0]["online"], "on line")
        bad = daemons(**options, tls_cert=stranger)
        done = bad.command("-f", bad.mount)
        assert done.returncode == os.EX_NOPERM, done.stderr
        assert "localhost:" in done.stderr
    finally:
        server.stop()


def core_of(pid, directory):
    """All writable memory of a process, as gdb's gcore sees it."""
    done = subprocess.run(["gcore", "-o", directory / "core", str(pid)],
                          capture_output=True, text=True, timeout=60)
    if done.returncode:
        pytest.skip(f"gcore: {done.stderr[-200:]}")
    return (directory / f"core.{pid}").read_bytes()


@pytest.fixture
def with_secret(canary_server, daemons, authority, tmp_path):
    """A daemon on line, that got its password from a command."""
    secret = tmp_path / "secret"
    secret.write_text(CANARY + "\n")
    options = account(authority, canary_server)
    del options["password"]
    daemon = daemons(**options, password_command=f"cat {secret}").start()
    daemon.folder().files()
    process.wait_until(lambda: daemon.status()[0]["online"], "on line")
    return daemon


def test_the_password_is_written_nowhere(with_secret):
    proc = pathlib.Path(f"/proc/{with_secret.process.pid}")
    for name in ("cmdline", "environ"):
        assert_absent(CANARY, (proc / name).read_bytes(), name)
    assert with_secret.stop() == 0
    assert_absent(CANARY, with_secret.log.read_bytes(), "log")
    files = [path for directory in ("state", "cache", "run")
             for path in (with_secret.base / directory).rglob("*")
             if path.is_file()]
    assert any(path.name == "index.db" for path in files)
    for path in files:
        assert_absent(CANARY, path.read_bytes(), path)


# The password lies in a line with the user's name, alone in one, in a hash.
@pytest.mark.parametrize("canary_server", ["plain", "login", "cram-md5"],
                         indirect=True)
def test_the_password_is_not_in_memory(with_secret, tmp_path):
    core = core_of(with_secret.process.pid, tmp_path)
    assert b"INBOX" in core
    assert_absent(CANARY, core, "core")


def test_a_crash_leaves_no_core(mail):
    """The kernel is told not to write one, however the user set the limit."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    mail.start()
    pid = mail.process.pid
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"Max core file size +0 +0 ", limits)
    mail.process.send_signal(signal.SIGSEGV)
    assert mail.process.wait(10) != 0  # a sanitizer makes it an exit status
    assert not list(pathlib.Path.cwd().glob(f"core*{pid}*"))
