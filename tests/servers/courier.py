"""Courier IMAP, in a mount namespace where /etc/courier is ours."""
import pathlib
import shutil
import subprocess

from servers import packages, process

INSIDE = """\
set -e
mount --bind {dir}/etc /etc/courier
mkdir -p /run/courier  # only systemd-tmpfiles would have made it
mount --bind {dir}/run /run/courier
chmod 700 /etc/courier
makeuserdb
makeimapaccess
/usr/lib/courier/courier-authlib/authdaemond &
for i in $(seq 50); do
	[ -S /run/courier/authdaemon/socket ] && break
	sleep 0.1
done
set -a
. /etc/courier/imapd
. /etc/courier/imapd-ssl
AUTHMODULES=authdaemon
IMAP_STARTTLS=YES
IMAP_TLS_REQUIRED=0
COURIERTLS=/usr/bin/couriertls
TLS_CERTFILE={dir}/tls/server.pem
TLS_DHPARAMS={dir}/tls/dhparams.pem
TLS_PROTOCOL=TLSv1.2+
TLS_STARTTLS_PROTOCOL=TLSv1.2+
TLS_VERIFYPEER=NONE
TLS_CACHEFILE=
set +a
listen="/usr/sbin/couriertcpd -address=127.0.0.1 -maxprocs=40 -maxperip=40"
listen="$listen -nodnslookup -noidentlookup"
login="{pkg}/usr/lib/courier/courier/imaplogin {pkg}/usr/bin/imapd Maildir"
$listen {port} $login &
IMAP_TLS=1 $listen {tls_port} /usr/bin/couriertls -server -tcpd $login &
wait
"""

OWNER = "courier"


class Courier:
    separator = "."
    password = "testpw"
    options = {}  # of an account here, beyond the usual
    invents_dates = False

    def __init__(self, directory, pem, base):
        packages.require(["courier-base", "courier-authdaemon", "libgamin0"])
        package = packages.unpack("courier-imap", base)
        self.directory = directory
        self.port, self.tls_port = process.free_ports(2)
        self.process = None
        for name in ("run/authdaemon", "home/bob", "tls"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        shutil.copytree(package / "etc/courier", directory / "etc")
        self._configure(pem)
        (directory / "inside.sh").write_text(INSIDE.format(
            dir=directory, pkg=package, port=self.port,
            tls_port=self.tls_port))

    def _configure(self, pem):
        etc = self.directory / "etc"
        (etc / "shared").mkdir(exist_ok=True)
        (etc / "shared/index").touch()
        lines = pathlib.Path("/etc/courier/authdaemonrc").read_text()
        (etc / "authdaemonrc").write_text("\n".join(
            'authmodulelist="authuserdb"'
            if line.startswith("authmodulelist=") else line
            for line in lines.splitlines()) + "\n")
        shutil.copy("/etc/courier/dhparams.pem", etc)
        shutil.copy("/etc/courier/dhparams.pem", self.directory / "tls")
        shutil.copy(pem, self.directory / "tls/server.pem")

    def start(self):
        import pwd
        home = self.directory / "home/bob"
        subprocess.run(["maildirmake.courier", home / "Maildir"], check=True)
        owner = pwd.getpwnam(OWNER)
        crypted = subprocess.run(
            ["openssl", "passwd", "-1", self.password], check=True, text=True,
            capture_output=True).stdout.strip()
        userdb = self.directory / "etc/userdb"
        userdb.write_text(
            f"bob\tuid={owner.pw_uid}|gid={owner.pw_gid}|home={home}|"
            f"mail={home}/Maildir|systempw={crypted}\n")
        userdb.chmod(0o600)
        process.give(self.directory / "home", OWNER)
        process.give(self.directory / "tls", OWNER)
        for name in ("run", "run/authdaemon"):
            (self.directory / name).chmod(0o755)
        self.process = process.start(
            [*process.NAMESPACE, "bash",
             self.directory / "inside.sh"], self.directory / "out")
        process.wait_until(lambda: process.is_open(self.port)
                           and process.is_open(self.tls_port), "Courier")
        return self

    def stop(self):
        process.stop(self.process)
