"""What goes into POP3 drops, what is in them, and a proxy that cuts."""
import collections
import contextlib
import re
import time

from servers import corpus
from servers.pop3 import Pop
from servers.proxy import Proxy

COPY = b"From: Ada <ada@example.org>\nSubject: twice\n\nTwo of these.\n"
DATED = (b"Received: from a by b; Tue, 14 Nov 2023 22:13:20 +0000\n"
         b"Date: Mon, 1 Jan 2001 00:00:00 +0000\nSubject: dated\n\nx\n")


# What a server cannot have in its drop and still serve the others.
SPOILERS = {
    "solid": {"no final newline", "ends with CR", "one byte"},
    "mailutils": {"CR at 64 kB", "From line"},
    "popa3d": {"From line"},
}


def messages(server):
    """With LF line ends, as in a file."""
    odd = [body.replace(b"\r\n", b"\n") for name, body in corpus.ODD.items()
           if name not in SPOILERS.get(server, set()) | {"empty"}]
    return [COPY, COPY, DATED, *odd]


def truth(server, user="bob"):
    """What a session gives; again until it finds the drop free."""
    for _ in range(100):
        with contextlib.suppress(PermissionError), \
                Pop(server.port, user) as session:
            session.uidl()  # Mailutils writes it into messages it gives
            bodies = session.bodies()
            session.quit()
            return bodies
        time.sleep(0.1)
    raise TimeoutError("the drop stays locked")


def counted(bodies):
    """Courier wraps 8-bit mail anew each time, between lines of its own."""
    return collections.Counter(re.sub(rb"=_\d+-\d+", b"", body)
                               for body in bodies)


class Cutter(Proxy):
    """Cuts a connection once, after so many bytes of answers."""

    left = None

    def _pass(self, wanted):
        if self.left is None:
            return wanted
        count = min(wanted, self.left)
        self.left -= count
        if count == 0:
            self.left = None
            raise ConnectionResetError
        return count
