"""What was called, when, and what came of it: so that a fault can be explained."""
import contextlib
import errno
import itertools
import threading
import time


class Fault(AssertionError):
    """What may never be."""


class History:
    """Rows of [began, ended, actor, what, token, detail, outcome]; .faults are
    what was found wrong, with the tokens concerned."""

    def __init__(self):
        self.began = time.monotonic()
        self.rows = []
        self.faults = []
        self.is_over = threading.Event()

    def now(self):
        return time.monotonic() - self.began

    @contextlib.contextmanager
    def call(self, actor, what, token="", detail=""):
        row = [self.now(), None, actor, what, token, detail, "?"]
        self.rows.append(row)
        try:
            yield row
            row[6] = "ok"
        except OSError as error:
            row[6] = errno.errorcode.get(error.errno, str(error))
            raise
        finally:
            row[1] = self.now()

    def note(self, actor, what, token="", detail=""):
        now = self.now()
        self.rows.append([now, now, actor, what, token, detail, ""])

    def fault(self, text, *tokens):
        """All stops; what happened is told at the end."""
        self.note("FAULT", text, " ".join(tokens))
        self.faults.append((text, tokens))
        self.is_over.set()

    def count(self, *whats):
        return sum(row[3] in whats and row[6] == "ok" for row in self.rows)

    @staticmethod
    def line(row):
        ended = "-" if row[1] is None else f"{row[1]:.3f}"
        return f"{row[0]:9.3f} {ended:>9} " + " ".join(map(str, row[2:]))

    def text(self):
        return "".join(self.line(row) + "\n" for row in self.rows)

    def explain(self, most=5):
        """The first faults, each with what was done to its messages."""
        lines = []
        for text, tokens in itertools.islice(self.faults, most):
            lines.append(text)
            lines += ["    " + self.line(row) for row in self.rows
                      if row[4] in tokens or row[2] == "daemon"]
        return "\n".join(lines[:400])
