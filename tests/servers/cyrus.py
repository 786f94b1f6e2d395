"""Cyrus IMAP.  Runs as its own user; needs root to become it."""
import subprocess

from servers import packages, process

CONFIG = """\
configdirectory: {dir}/lib
proc_path: {dir}/run/proc
mboxname_lockpath: {dir}/run/lock
defaultpartition: default
partition-default: {dir}/spool
altnamespace: yes
unixhierarchysep: yes
admins: cyrus
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {dir}/sasldb2
sasl_mech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256
servername: localhost
tls_server_cert: {dir}/server.pem
tls_server_key: {dir}/server.pem
tls_client_ca_dir: /etc/ssl/certs
lmtpsocket: {dir}/run/socket/lmtp
idlesocket: {dir}/run/socket/idle
notifysocket: {dir}/run/socket/notify
autocreate_quota: 0
autocreate_post: yes
autocreate_inbox_folders: Sent|Trash
"""

SERVICES = """\
START {{
  recover cmd="/usr/lib/cyrus/bin/ctl_cyrusdb -C {dir}/imapd.conf -r"
  idled cmd="{idled} -C {dir}/imapd.conf"
}}
SERVICES {{
  imap  cmd="{imapd} -C {dir}/imapd.conf" listen="127.0.0.1:{port}"
  imaps cmd="{imapd} -s -C {dir}/imapd.conf" listen="127.0.0.1:{tls_port}"
}}
EVENTS {{
}}
"""


class Cyrus:
    separator = "/"
    password = "testpw"
    options = {}  # of an account here, beyond the usual
    invents_dates = False

    def __init__(self, directory, pem, base):
        packages.require(["cyrus-common", "sasl2-bin", "libsasl2-modules-db"])
        imapd = packages.unpack("cyrus-imapd", base) / "usr/lib/cyrus/bin/imapd"
        self.directory = directory
        self.port, self.tls_port = process.free_ports(2)
        self.process = None
        for name in ("spool", "run/proc", "run/lock", "run/socket", "lib/db",
                     "lib/socket", "lib/log", "lib/msg", "lib/proc",
                     "lib/ptclient", "lib/quota", "lib/user", "lib/sync",
                     "lib/backup", "lib/sieve"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        (directory / "server.pem").write_bytes(pem.read_bytes())
        fields = {"dir": directory, "imapd": imapd, "port": self.port,
                  "idled": imapd.with_name("idled"),
                  "tls_port": self.tls_port}
        (directory / "imapd.conf").write_text(CONFIG.format(**fields))
        (directory / "cyrus.conf").write_text(SERVICES.format(**fields))

    def start(self):
        for user in ("cyrus", "bob"):
            subprocess.run(
                ["saslpasswd2", "-p", "-c", "-f", self.directory / "sasldb2",
                 "-u", "localhost", user], input=self.password, text=True,
                check=True, capture_output=True)
        process.give(self.directory, "cyrus")
        self.process = process.start(
            ["/usr/lib/cyrus/bin/master", "-C", self.directory / "imapd.conf",
             "-M", self.directory / "cyrus.conf", "-p",
             self.directory / "run/master.pid", "-D"],
            self.directory / "out", **process.run_as("cyrus"))
        process.wait_until(lambda: process.is_open(self.port), "Cyrus")
        return self

    def stop(self):
        process.stop(self.process)
