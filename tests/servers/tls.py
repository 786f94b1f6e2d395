"""A private authority, and certificates good and bad."""
import subprocess


def _openssl(directory, *arguments):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True,
                   capture_output=True)


class Authority:
    """A CA in a directory; .ca is what clients are told to trust."""

    def __init__(self, directory, name="mailmount test CA"):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.ca = directory / "ca.pem"
        if not self.ca.exists():
            _openssl(directory, "req", "-x509", "-newkey", "rsa:2048",
                     "-nodes", "-days", "30", "-keyout", "ca.key", "-out",
                     "ca.pem", "-subj", f"/CN={name}", "-addext",
                     "basicConstraints=critical,CA:TRUE")

    def issue(self, name, host="localhost", days=30):
        """A certificate; returns the path of key and chain in one file.

        days < 0: one that ended yesterday.
        """
        path = self.directory / f"{name}.pem"
        if path.exists():
            return path
        _openssl(self.directory, "req", "-newkey", "rsa:2048", "-nodes",
                 "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj",
                 f"/CN={host}")
        (self.directory / "ext").write_text(f"subjectAltName=DNS:{host}\n")
        (self.directory / "serial").write_text("01\n")
        (self.directory / "index").write_text("")
        self._sign(name, days)
        key = (self.directory / f"{name}.key").read_bytes()
        path.write_bytes(key + (self.directory / f"{name}.crt").read_bytes())
        return path

    def _sign(self, name, days):
        """openssl ca, because x509 cannot make an expired certificate."""
        (self.directory / "ca.cnf").write_text(
            "[ca]\ndefault_ca=c\n[c]\ndatabase=index\nserial=serial\n"
            "new_certs_dir=.\ndefault_md=sha256\npolicy=p\nunique_subject=no\n"
            "[p]\ncommonName=supplied\n")
        dates = ["-days", str(days)] if days > 0 else \
            ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"]
        _openssl(self.directory, "ca", "-batch", "-config", "ca.cnf", "-cert",
                 "ca.pem", "-keyfile", "ca.key", "-in", f"{name}.csr", "-out",
                 f"{name}.crt", "-extfile", "ext", "-notext", *dates)

    def self_signed(self):
        path = self.directory / "self.pem"
        _openssl(self.directory, "req", "-x509", "-newkey", "rsa:2048",
                 "-nodes", "-days", "30", "-keyout", "self.pem", "-out",
                 "self.crt", "-subj", "/CN=localhost", "-addext",
                 "subjectAltName=DNS:localhost")
        with open(path, "ab") as out:
            out.write((self.directory / "self.crt").read_bytes())
        return path
