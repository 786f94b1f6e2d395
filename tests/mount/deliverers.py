"""Programs that deliver into Maildirs, each set up as its manual says."""
import dataclasses
import mailbox
import os
import pathlib
import re
import shutil
import subprocess
import typing

import pytest
from servers import packages, process
from terminal import run_to_end

DATE = 1_700_000_000
SOURCE = (
    b"From: Ada <ada@example.org>\n"
    b"To: bob@example.org\n"
    b"Subject: =?utf-8?q?Caf=C3=A9?=\n"
    b"Message-ID: <delivered@example.org>\n"
    b"Date: Tue, 14 Nov 2023 22:13:20 +0000\n"
    b"Content-Type: text/plain; charset=utf-8\n"
    b"Content-Transfer-Encoding: 8bit\n"
    b"\n"
    b"Caf\xc3\xa9, and caf\xe9.\n.\n..two dots\n\nFrom here on\n>From there\n"
    b"no blank is lost: \t \n" + b"long " * 180 + b"\n\nThe end.\n")

# Some refuse to deliver as root, and for root this is not the user of a mount
# but for the numbers it sees.
OWNER = "mail"
AS_OWNER = ["unshare", "--user", "--map-user=8", "--map-group=8"] \
    if process.is_root() else []


def find_program(name, home):
    """What is set-group-id counts as another user, and a copy does not."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:"
                                   f"/usr/lib/dovecot")
    if not path:
        pytest.skip(f"{name} is not installed")
    if not os.stat(path).st_mode & 0o6000:
        return path
    shutil.copyfile(path, home / name)
    (home / name).chmod(0o755)
    return home / name


@dataclasses.dataclass
class Setting:
    """Where to deliver, and from where."""
    home: pathlib.Path
    box: pathlib.Path  # a Maildir on the mount
    pop: typing.Any    # a server with SOURCE in the drop of user
    user: str
    base: pathlib.Path

    def write(self, name, text):
        """A file of the program's, as nobody else may read."""
        path = self.home / name
        path.write_text(text.format(**{
            **vars(self), "port": self.pop.port, "owner": OWNER,
            "password": self.pop.password}))
        path.chmod(0o600)
        return path

    def program(self, name):
        return find_program(name, self.home)

    def run(self, *command, given=SOURCE, wrapper=AS_OWNER):
        done = subprocess.run(
            [*map(str, wrapper), *map(str, command)], input=given,
            env={**os.environ, "HOME": str(self.home)},
            cwd=self.home, timeout=40, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout


def procmail_rc(setting, lock=""):
    return setting.write("procmailrc", "MAILDIR={box}/..\n"
                         "DEFAULT=/dev/null\nLOGFILE={home}/log\n"
                         f":0{lock}\n{{box}}/\n")


def procmail(setting):
    setting.run(setting.program("procmail"), "-m", procmail_rc(setting))


def procmail_with_lock(setting):
    """The lock is a file beside cur."""
    rc = procmail_rc(setting, ":")
    setting.run(setting.program("procmail"), "-m", rc)


def maildrop(setting):
    setting.run(setting.program("maildrop"),
                setting.write("filter", 'to "{box}"\n'))


FDM = """\
account "in" stdin
action "keep" maildir "{box}"
match all action "keep"
"""


def fdm(setting):
    """Makes the Maildir first, and wants to be told that it is there."""
    setting.run(setting.program("fdm"), "-f", setting.write("rc", FDM),
                "-a", "in", "fetch")


GETMAIL = """\
[retriever]
type = SimplePOP3Retriever
server = 127.0.0.1
port = {port}
username = {user}
password = {password}
[destination]
type = Maildir
path = {box}/
[options]
delete = true
delivered_to = false
received = false
"""


def getmail(setting):
    setting.run(setting.program("getmail"), "--getmaildir", setting.home,
                "--rcfile", setting.write("rc", GETMAIL), given=b"")


FETCHMAIL = """\
poll 127.0.0.1 service {port} protocol pop3 username "{user}"
password "{password}" is {owner} here sslproto "" nokeep
mda "%s -m {home}/procmailrc"
"""


def fetchmail(setting):
    procmail_rc(setting)
    rc = setting.write("rc", FETCHMAIL % setting.program("procmail"))
    setting.run(setting.program("fetchmail"), "-f", rc, "--nosyslog",
                "--pidfile", setting.home / "pid", given=b"")


MPOP = """\
account default
host 127.0.0.1
port {port}
user {user}
password {password}
auth user
tls off
delivery maildir {box}
received_header off
uidls_file {home}/uidls
"""


def mpop(setting):
    setting.run(setting.program("mpop"), "-C", setting.write("rc", MPOP),
                given=b"")


LDA = """\
mail_location = maildir:{box}:LAYOUT=fs
base_dir = {home}
log_path = /dev/stderr
first_valid_uid = 1
postmaster_address = post@example.org
hostname = host.example.org
"""


def dovecot_lda(setting):
    """Keeps its index, with locks, beside cur."""
    setting.run(setting.program("dovecot-lda"), "-e",
                "-c", setting.write("rc", LDA))


EXIM = """\
spool_directory = {home}/spool
log_file_path = {home}/%slog
primary_hostname = host.example.org
exim_user = Debian-exim
keep_environment =
begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {box}
  maildir_format
  maildir_tag = ,S=$message_size
  no_create_directory
  user = {owner}
"""
# It ends where it does not find the user that it was built for.
WITH_USER = """\
for name in passwd group; do
	mount --bind {home}/$name /etc/$name || exit
done
exec %s "$@"
"""


def exim(setting):
    """Unpacked only: two mail servers cannot be installed."""
    try:
        packages.require(["libgnutls-dane0", "libidn12", "libnsl2",
                          "libdb5.3"])
        root = packages.unpack("exim4-daemon-light", setting.base)
    except process.Unavailable as why:
        pytest.skip(f"exim: {why}")
    program = setting.home / "exim"
    shutil.copyfile(root / "usr/sbin/exim4", program)
    program.chmod(0o755)
    for name, line in (("passwd", "Debian-exim:x:8:8::/:/bin/false\n"),
                       ("group", "Debian-exim:x:8:\n")):
        (setting.home / name).write_text(
            pathlib.Path("/etc", name).read_text() + line)
    script = setting.write("with-user", WITH_USER % " ".join(AS_OWNER))
    setting.run(program, "-C", setting.write("rc", EXIM), "-odi", "-i",
                "-f", "ada@example.org", "bob@example.org",
                wrapper=["unshare", "--mount", "--propagation", "private",
                         "sh", script])


def python(setting):
    mailbox.Maildir(setting.box, create=False).add(SOURCE)


def python_with_flags(setting):
    message = mailbox.MaildirMessage(SOURCE)
    message.set_subdir("cur")
    message.set_flags("FS")
    message.set_date(DATE)
    mailbox.Maildir(setting.box, create=False).add(message)


def outside(setting, name):
    """A message with the date on the disk."""
    path = setting.home / name
    path.write_bytes(SOURCE)
    os.utime(path, (DATE, DATE))
    return path


def cp(setting):
    setting.run("cp", outside(setting, "source"),
                setting.box / "cur/1.copied.host:2,RS")


def cp_p(setting):
    setting.run("cp", "-p", outside(setting, "source"),
                setting.box / "cur/1.copied.host:2,S")


def mv(setting):
    setting.run("mv", outside(setting, "1.moved.host:2,F"),
                setting.box / "cur")


MUTTRC = """\
set mbox_type=Maildir folder="{home}" confirmappend=no wait_key=no
set delete=yes quit=yes move=no mark_old=no
push "%s"
"""


def with_mutt(name, keys):
    def deliver(setting):
        """From another Maildir, where it has flags and a date."""
        for place in ("cur", "new", "tmp"):
            (setting.home / "from" / place).mkdir(parents=True)
        source = outside(setting, "from/cur/1.host:2,FS")
        program = setting.program(name)
        rc = setting.write("rc", MUTTRC % keys.replace("BOX", "{box}"))
        run_to_end(f"{program} -n -F {rc} -f {setting.home}/from",
                   setting.home)
        assert source.exists() == ("copy" in keys)
    return deliver


COPY = "<copy-message>BOX<enter><quit>"
SAVE = "<save-message>BOX<enter><sync-mailbox><quit>"


@dataclasses.dataclass
class Program:
    deliver: typing.Callable
    adds: str = ""     # headers, as a regular expression
    letters: str = ""  # flags it delivers with
    date: int = 0      # and date, if it is not now

    def without_added(self, body):
        """What came out, without the headers it put in."""
        if not self.adds:
            return body
        return re.sub(rb"(?m)^(?:%s):.*\n(?:[ \t].*\n)*" % self.adds.encode(),
                      b"", body)


def _mutt(name, keys):
    return Program(with_mutt(name, keys), "Content-Length|Lines", "FS", DATE)


PROGRAMS = {
    "procmail": Program(procmail),
    "procmail with lock": Program(procmail_with_lock),
    "maildrop": Program(maildrop),
    "fdm": Program(fdm, "Received"),
    "getmail": Program(getmail, "Return-Path"),
    "fetchmail to procmail": Program(fetchmail, "Received|Return-Path"),
    "mpop": Program(mpop),
    "dovecot-lda": Program(dovecot_lda),
    "exim": Program(exim, "Received"),
    "python": Program(python),
    "python with flags": Program(python_with_flags, "", "FS", DATE),
    "cp": Program(cp, "", "RS"),
    "cp -p": Program(cp_p, "", "S", DATE),
    "mv": Program(mv, "", "F", DATE),
    "mutt copies": _mutt("mutt", COPY),
    "mutt saves": _mutt("mutt", SAVE),
    "neomutt copies": _mutt("neomutt", COPY),
    "neomutt saves": _mutt("neomutt", SAVE),
}
