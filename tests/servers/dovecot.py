"""Dovecot, unprivileged.  Any user name may log in; all share one password."""
import shutil

from servers import process

PASSWORD = "testpw"

CONFIG = """\
protocols = imap
base_dir = {dir}/run
state_dir = {dir}/state
instance_name = {name}
listen = 127.0.0.1
log_path = {dir}/log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
ssl = yes
ssl_cert = <{pem}
ssl_key = <{pem}
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 scram-sha-256
mail_location = {format}
mail_fsync = never
mail_max_userip_connections = 1000
first_valid_uid = 1
passdb {{
  driver = static
  args = password={{PLAIN}}{password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={dir}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
{special}}}
{extra}
"""

# For extra: COMPRESS=DEFLATE is offered.
ZLIB = """\
protocol imap {
  mail_plugins = $mail_plugins imap_zlib
}
"""

SPECIAL = """\
  mailbox {0} {{
    special_use = \\{0}
    auto = subscribe
  }}
"""


def _owner():
    """Name and group of whom the server runs as."""
    import grp
    import os
    import pwd
    entry = pwd.getpwnam("dovecot") if process.is_root() else \
        pwd.getpwuid(os.geteuid())
    return entry.pw_name, grp.getgrgid(entry.pw_gid).gr_name


class Dovecot:
    """The server in a directory; started by start(), ended by stop()."""

    separator = "/"
    password = PASSWORD
    options = {}  # of an account here, beyond the usual
    invents_dates = False

    def __init__(self, directory, pem, format="mdbox:~/mdbox", extra="",
                 capability=None, special=("Sent", "Trash")):
        self.directory = directory
        self.user, group = _owner()
        self.port, self.tls_port = process.free_ports(2)
        for name in ("run", "state", "mail"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(pem, directory / "server.pem")
        if capability:
            extra += f"protocol imap {{\n  imap_capability = {capability}\n}}\n"
        self.config = directory / "dovecot.conf"
        self.config.write_text(CONFIG.format(
            dir=directory, name=directory.name, user=self.user, group=group,
            port=self.port, tls_port=self.tls_port, password=self.password,
            pem=directory / "server.pem", format=format, extra=extra,
            special="".join(SPECIAL.format(name) for name in special)))
        self.process = None

    def start(self):
        if not shutil.which("dovecot", path="/usr/sbin"):
            raise process.Unavailable("dovecot is not installed")
        process.give(self.directory, self.user)
        self.process = process.start(
            ["/usr/sbin/dovecot", "-F", "-c", str(self.config)],
            self.directory / "out", **process.run_as(self.user))
        process.wait_until(
            lambda: process.is_open(self.port) and process.is_open(
                self.tls_port), f"Dovecot in {self.directory}")
        return self

    def stop(self):
        process.stop(self.process)
        self.process = None



def minimal(directory, pem):
    """IMAP4rev1 and not one extension."""
    return Dovecot(directory, pem, capability="IMAP4rev1",
                   format="maildir:~/Maildir")
