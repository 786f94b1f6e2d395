"""The IMAP client without a mount: remote_tool, and the words it knows."""
import os
import pathlib
import subprocess

PROGRAM = pathlib.Path(os.environ.get("MAILMOUNT", "mailmount")).parent.parent \
    / "tests/tools/remote_tool"


class Remote:
    """One connection to a server of this package; see tests/fake/driver.h."""

    def __init__(self, server, ca, user="bob", disable=""):
        self.process = subprocess.Popen(
            [PROGRAM, str(server.tls_port), user, server.password, ca,
             disable],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()

    def do(self, *words):
        """The lines of the answer, each as a list of words."""
        line = " ".join(str(word).replace(" ", "~") for word in words)
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = []
        while (line := self.process.stdout.readline()) != b".\n":
            assert line, f"remote_tool ended at: {words[0]}"
            answer.append(line.decode().rstrip("\n").split(" "))
        return answer
