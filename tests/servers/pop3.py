"""POP3 servers, and an independent look at one.

Each class has port, tls_port (None: it has no TLS), password, start(), stop()
and put(messages): the drop of bob holds these, in order, and no others.
Messages have LF line ends.
"""
import os
import pathlib
import pwd
import shutil
import socket
import subprocess

from servers import courier, packages, process
from servers.courier import Courier
from servers.cyrus import Cyrus
from servers.dovecot import Dovecot


class Pop:
    """One session, in the clear.  Bytes are as on the wire."""

    def __init__(self, port, user="bob", password="testpw"):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.file = self.socket.makefile("rb")
        self.greeting = self.file.readline()
        for command in (f"USER {user}", f"PASS {password}"):
            answer = self.do(command)
            if not answer.startswith(b"+OK"):
                self.close()
                raise PermissionError(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def do(self, command):
        self.socket.sendall(command.encode() + b"\r\n")
        return self.file.readline()

    def lines(self, command):
        """The bytes behind an answer, unstuffed."""
        answer = self.do(command)
        assert answer.startswith(b"+OK"), (command, answer)
        found, before = [], b"\r\n"
        while (line := self.file.readline()) != b".\r\n" or \
                not before.endswith(b"\r\n"):
            assert line, "the server hung up"
            stuffed = line.startswith(b".") and before.endswith(b"\r\n")
            found.append(line[1:] if stuffed else line)
            before = line
        return b"".join(found)

    def sizes(self):
        return [int(line.split()[1])
                for line in self.lines("LIST").splitlines()]

    def uidl(self):
        return [line.split()[1] for line in self.lines("UIDL").splitlines()]

    def bodies(self):
        return [self.lines(f"RETR {n}")
                for n in range(1, len(self.sizes()) + 1)]

    def quit(self):
        answer = self.do("QUIT")
        self.close()
        return answer.startswith(b"+OK")


def fill_maildir(path, messages, owner):
    """Names sort, and so are numbered, in the order of messages."""
    shutil.rmtree(path, ignore_errors=True)
    for name in ("cur", "new", "tmp"):
        # A session that just begins may make them, too.
        (path / name).mkdir(parents=True, exist_ok=True)
    for number, body in enumerate(messages):
        name = f"{1_700_000_000 + number}.M{number:06}P1.host"
        (path / "new" / name).write_bytes(body)
    process.give(path, owner)


# Dovecot

DOVECOT = """\
protocols = imap pop3
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = {tls_port}
    ssl = yes
  }}
}}
{extra}
"""


class DovecotPop(Dovecot):
    """Any user may log in; each has a drop of their own."""

    def __init__(self, directory, pem, extra="pop3_lock_session = yes"):
        ports = process.free_ports(2)
        super().__init__(directory, pem, format="maildir:~/Maildir",
                         special=(), extra=DOVECOT.format(
                             port=ports[0], tls_port=ports[1], extra=extra))
        self.port, self.tls_port = ports

    def start(self):
        if not os.path.exists("/usr/lib/dovecot/pop3"):
            raise process.Unavailable("dovecot-pop3d is not installed")
        return super().start()

    def put(self, messages, user="bob"):
        home = self.directory / "mail" / user
        home.mkdir(exist_ok=True)
        fill_maildir(home / "Maildir", messages, self.user)
        process.give(home, self.user)

    def add(self, messages, user="bob"):
        """To a drop that may be in use."""
        box = self.directory / "mail" / user / "Maildir"
        for number, body in enumerate(messages):
            name = f"{1_800_000_000 + number}.M{number:06}P1.host"
            (box / "tmp" / name).write_bytes(body)
            (box / "tmp" / name).rename(box / "new" / name)


# Cyrus

CYRUS = """\
SERVICES {{
  pop3  cmd="{pop3d} -C {dir}/imapd.conf" listen="127.0.0.1:{port}"
  pop3s cmd="{pop3d} -s -C {dir}/imapd.conf" listen="127.0.0.1:{tls_port}"
"""


class CyrusPop(Cyrus):
    def __init__(self, directory, pem, base):
        super().__init__(directory, pem, base)
        self.imap_port = self.port
        self.port, self.tls_port = process.free_ports(2)
        pop3d = packages.unpack("cyrus-pop3d", base) / \
            "usr/lib/cyrus/bin/pop3d"
        services = directory / "cyrus.conf"
        services.write_text(services.read_text().replace(
            "SERVICES {\n", CYRUS.format(
                pop3d=pop3d, dir=directory, port=self.port,
                tls_port=self.tls_port)))

    def put(self, messages):
        from servers.client import Client
        with Client(self.imap_port, "bob", self.password) as client:
            client.imap.select("INBOX")
            client.imap.store("1:*", "+FLAGS", r"(\Deleted)")
            client.imap.expunge()
            for body in messages:
                client.append("INBOX", body.replace(b"\n", b"\r\n"))


# Courier

COURIER = """\
set -a
. /etc/courier/pop3d
. /etc/courier/pop3d-ssl
POP3_STARTTLS=YES
POP3_TLS_REQUIRED=0
TLS_CERTFILE={dir}/tls/server.pem
TLS_DHPARAMS={dir}/tls/dhparams.pem
TLS_VERIFYPEER=NONE
TLS_CACHEFILE=
set +a
bin={pkg}/usr/lib/courier/courier
$listen {port} $bin/courierpop3login $bin/courierpop3d Maildir &
POP3_TLS=1 $listen {tls_port} /usr/bin/couriertls -server -tcpd \\
	$bin/courierpop3login $bin/courierpop3d Maildir &
wait
"""


class CourierPop(Courier):
    def __init__(self, directory, pem, base):
        super().__init__(directory, pem, base)
        package = packages.unpack("courier-pop", base)
        for name in ("pop3d", "pop3d-ssl"):
            shutil.copy(package / "etc/courier" / name, directory / "etc")
        self.port, self.tls_port = process.free_ports(2)
        script = directory / "inside.sh"
        inside = script.read_text()
        assert inside.endswith("wait\n")
        script.write_text(inside[:-len("wait\n")] + COURIER.format(
            dir=directory, pkg=package, port=self.port,
            tls_port=self.tls_port))

    def put(self, messages):
        fill_maildir(self.directory / "home/bob/Maildir", messages,
                     courier.OWNER)


# Those that know the users of the system: a mount namespace has one more.

UID = 61510
PAM = """\
auth required pam_unix.so
account required pam_unix.so
session required pam_permit.so
"""
INSIDE = """\
mount -t overlay overlay -o lowerdir={dir}/etc:/etc /etc || exit
mount --bind {dir}/varmail /var/mail || exit
mount -t tmpfs none /var/lib || exit
mkdir /var/lib/popa3d
exec {command}
"""


class SystemPop:
    """A server that socat starts for each connection, on a real socket."""

    password = "testpw"
    tls_port = None
    service = command = None

    def __init__(self, directory):
        self.directory = directory
        self.port, = process.free_ports(1)
        self.process = None
        self.home = directory / "home/bob"
        for name in ("etc/pam.d", "varmail", "spool", "home/bob"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        for name in ("varmail", "spool"):
            (directory / name).chmod(0o1777)
        self._users()

    def _users(self):
        etc = self.directory / "etc"
        crypted = subprocess.run(
            ["openssl", "passwd", "-6", self.password], check=True, text=True,
            capture_output=True).stdout.strip()
        nobody = "x:{0}:{0}::/nonexistent:/bin/false"
        lines = {
            "passwd": [f"bob:x:{UID}:{UID}::{self.home}:/bin/sh",
                       "popa3d:" + nobody.format(UID + 1),
                       "spop3d:" + nobody.format(UID + 2)],
            "group": [f"bob:x:{UID}:", f"popa3d:x:{UID + 1}:",
                      f"spop3d:x:{UID + 2}:"],
            "shadow": [f"bob:{crypted}:19000:0:99999:7:::"],
        }
        for name, more in lines.items():
            text = pathlib.Path("/etc", name).read_text()
            (etc / name).write_text(text + "\n".join(more) + "\n")
        (etc / "pam.d" / self.service).write_text(PAM)
        os.chown(self.home, UID, UID)

    def start(self):
        script = self.directory / "inside.sh"
        script.write_text(INSIDE.format(dir=self.directory,
                                        command=self.command))
        self.process = process.start(
            [*process.NAMESPACE, "sh", script], self.directory / "out")
        process.wait_until(lambda: process.is_open(self.port), self.service)
        return self

    def stop(self):
        process.stop(self.process)

    def give(self, path):
        subprocess.run(["chown", "-R", f"{UID}:{UID}", path], check=True)


def socat(port, command):
    return (f"socat TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork "
            f"EXEC:'{command}',nofork")


class Popa3d(SystemPop):
    """No CAPA; one UIDL for copies of a message; an mbox."""

    service = "popa3d"

    def __init__(self, directory, _pem, base):
        packages.require(["socat"])
        super().__init__(directory)
        program = packages.unpack("popa3d", base) / "usr/sbin/popa3d"
        self.command = socat(self.port, program)

    def put(self, messages):
        path = self.directory / "varmail/bob"
        path.write_bytes(b"".join(
            b"From ada@example.org Mon Jan  1 00:00:00 2024\n" + body +
            (b"\n" if body.endswith(b"\n") else b"\n\n")
            for body in messages))
        path.chmod(0o600)
        self.give(path)


SOLID = """\
<Global>
MailDropName "Maildir"
MailDropType maildir
AddBulletins no
</Global>
"""


class SolidPop(SystemPop):
    """No CAPA; a greeting that offers APOP to users who have none."""

    service = "solid-pop3d"

    def __init__(self, directory, _pem, base):
        packages.require(["socat", "liblockfile1"])
        super().__init__(directory)
        program = packages.unpack("solid-pop3d", base) / \
            "usr/sbin/solid-pop3d"
        (directory / "solid.conf").write_text(SOLID)
        self.command = socat(self.port,
                             f"{program} -f {directory}/solid.conf")

    def put(self, messages):
        fill_maildir(self.home / "Maildir", messages, "root")
        self.give(self.home)


MAILUTILS = """\
auth {{ authentication clear; authentication "pam:system";
  authorization clear; authorization "system"; }};
logging {{ syslog no; }};
tls-file-checks {{ key-file none; cert-file none; ca-file none; }};
foreground yes;
mode daemon;
max-children 60;
tls {{ ssl-certificate-file "{dir}/server.crt";
  ssl-key-file "{dir}/server.key"; }};
mandatory-locking {{ enable no; }};
locking {{ type null; }};
pidfile "{dir}/pop3d.pid";
pam {{ service mu-pop3d; }};
mailbox {{ mail-spool "{dir}/spool"; mailbox-type maildir; }};
server 127.0.0.1:{port} {{ tls-mode ondemand; }};
server 127.0.0.1:{tls_port} {{ tls-mode connection; }};
"""


class MailutilsPop(SystemPop):
    """Rewrites messages that it gives: sizes change."""

    service = "mu-pop3d"

    def __init__(self, directory, pem, _base):
        packages.require(["mailutils-pop3d"])
        super().__init__(directory)
        self.tls_port, = process.free_ports(1)
        for suffix in ("key", "crt"):
            shutil.copy(pem.with_suffix("." + suffix),
                        directory / f"server.{suffix}")
        (directory / "pop3d.conf").write_text(MAILUTILS.format(
            dir=directory, port=self.port, tls_port=self.tls_port))
        self.command = f"/usr/sbin/pop3d --config-file {directory}/pop3d.conf"

    def put(self, messages):
        fill_maildir(self.directory / "spool/bob", messages, "root")
        self.give(self.directory / "spool/bob")


SERVERS = {
    "dovecot": lambda base, pem: DovecotPop(base / "pop-dovecot", pem),
    "cyrus": lambda base, pem: CyrusPop(base / "pop-cyrus", pem, base),
    "courier": lambda base, pem: CourierPop(base / "pop-courier", pem, base),
    "mailutils": lambda base, pem: MailutilsPop(base / "pop-mailutils", pem,
                                                base),
    "popa3d": lambda base, pem: Popa3d(base / "pop-popa3d", pem, base),
    "solid": lambda base, pem: SolidPop(base / "pop-solid", pem, base),
}


def account(server, ca=None, user="bob", port=None):
    """Options of an account there."""
    if port is None and server.tls_port and ca:
        return {"server": f"pop3s://localhost:{server.tls_port}",
                "user": user, "password": server.password, "tls_ca": ca,
                "timeout": "10s"}
    return {"server": f"pop3://localhost:{port or server.port}",
            "tls": "none", "user": user, "password": server.password,
            "timeout": "10s"}
