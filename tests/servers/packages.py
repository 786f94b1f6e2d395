"""Programs of Debian packages that apt cannot install beside each other.

Servers conflict with each other (imap-server), their shared parts do not.  So
the parts are installed, and the leaf packages only unpacked.
"""
import pathlib
import subprocess

from servers import process

PARTS = ["cyrus-common", "courier-base", "courier-authdaemon", "libgamin0",
         "sasl2-bin", "libsasl2-modules", "libsasl2-modules-db",
         "mailutils-imap4d", "mailutils-pop3d", "socat", "liblockfile1"]


def require(names):
    """Raise Unavailable unless we are root and the packages are there."""
    if not process.is_root():
        raise process.Unavailable("needs root (mount namespaces, users)")
    for name in names:
        asked = subprocess.run(
            ["dpkg-query", "-W", "-f=${db:Status-Status}", name],
            capture_output=True, text=True)
        if asked.stdout != "installed":
            raise process.Unavailable(f"package {name} is not installed")


def unpack(name, base):
    """The root of an unpacked package, downloaded once a run."""
    root = pathlib.Path(base) / "packages" / name
    if root.exists():
        return root
    root.mkdir(parents=True)
    for path in (root.parent, root):
        path.chmod(0o755)
    got = subprocess.run(["apt-get", "download", name], cwd=root.parent,
                         capture_output=True, text=True)
    files = list(root.parent.glob(f"{name}_*.deb"))
    if got.returncode or not files:
        root.rmdir()
        raise process.Unavailable(
            f"package {name} cannot be had: {got.stderr.strip()[-120:]}")
    subprocess.run(["dpkg-deb", "-x", files[0], root], check=True)
    return root
