"""GNU Mailutils imap4d, in a mount namespace with a user of its own.

The overlay on /etc is read-only on purpose: a bind mount of /etc/passwd
vanishes when someone renames a new one over it.
"""
import pathlib
import shutil
import subprocess

from servers import packages, process

UID = 61500

CONFIG = """\
auth {{ authentication clear; authentication "pam:system";
  authorization clear; authorization "system"; }};
logging {{ syslog no; }};
tls-file-checks {{ key-file none; cert-file none; ca-file none; }};
foreground yes;
mode daemon;
max-children 60;
tls {{ ssl-certificate-file "{dir}/server.crt";
  ssl-key-file "{dir}/server.key"; }};
pidfile "{dir}/imap4d.pid";
pam {{ service mu-imap4d; }};
mailbox {{ mail-spool "{dir}/spool"; mailbox-type maildir; }};
namespace personal {{ prefix "" {{ directory "{dir}/home/bob";
  mailbox-type maildir; }}; }};
server 127.0.0.1:{port} {{ tls-mode ondemand; }};
server 127.0.0.1:{tls_port} {{ tls-mode connection; }};
"""

PAM = """\
auth required pam_unix.so
account required pam_unix.so
session required pam_permit.so
"""


class Mailutils:
    separator = "/"
    password = "testpw"
    options = {}
    invents_dates = True
    # It offers DIGEST-MD5 and others, for which PAM gives it no secret.

    def __init__(self, directory, pem, base):
        packages.require(["mailutils-imap4d"])
        self.directory = directory
        self.port, self.tls_port = process.free_ports(2)
        self.process = None
        for name in ("etc/pam.d", "home/bob", "spool"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        for suffix in ("key", "crt"):
            shutil.copy(pem.with_suffix("." + suffix),
                        directory / f"server.{suffix}")
        self._users()
        (directory / "imap4d.conf").write_text(CONFIG.format(
            dir=directory, port=self.port, tls_port=self.tls_port))

    def _users(self):
        etc, home = self.directory / "etc", self.directory / "home/bob"
        crypted = subprocess.run(
            ["openssl", "passwd", "-6", self.password], check=True, text=True,
            capture_output=True).stdout.strip()
        for name, line in (("passwd", f"bob:x:{UID}:{UID}::{home}:/bin/sh"),
                           ("group", f"bob:x:{UID}:"),
                           ("shadow", f"bob:{crypted}:19000:0:99999:7:::")):
            text = pathlib.Path("/etc", name).read_text()
            (etc / name).write_text(text + line + "\n")
        (etc / "pam.d/mu-imap4d").write_text(PAM)
        (self.directory / "spool").chmod(0o1777)
        shutil.chown(home, UID, UID)

    def start(self):
        inside = (f"mount -t overlay overlay -o lowerdir={self.directory}/etc:"
                  f"/etc /etc && exec /usr/sbin/imap4d --config-file "
                  f"{self.directory}/imap4d.conf")
        self.process = process.start(
            [*process.NAMESPACE, "sh", "-c", inside],
            self.directory / "out")
        process.wait_until(lambda: process.is_open(self.port), "imap4d")
        return self

    def stop(self):
        process.stop(self.process)
