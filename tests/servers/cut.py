"""A proxy that cuts a connection after so many bytes, and a cache whose time
can be let pass; together: each byte of an exchange with a server, cut.

A server that commits late is made of any server: what the client sent last
stays in the proxy, and reaches the server when the client has long lost its
connection."""
import os
import pathlib
import re
import select
import socket
import struct
import subprocess
import threading
import time

from servers import process
from servers.client import Client

PROGRAM = pathlib.Path(os.environ.get("MAILMOUNT", "mailmount")).parent.parent \
    / "tests/tools/cache_tool"

SENT, ANSWERED = 0, 1  # by the client; by the server
COMMAND = re.compile(rb" (APPEND|STORE|MOVE|COPY) ")


class Cutter:
    """Listens on .port.  After arm(direction, count) so many bytes pass in
    that direction; then the client loses its connection.  What the client had
    sent is all the server gets; it is read to its end, and then .is_over.

    Counting begins with what is sent in one piece with one of COMMAND, if
    is_of_command; and backwards from the end of the piece of a number (1: the
    first) if there is one.
    With is_late, the piece that is cut short waits for release() before it goes
    to the server."""

    def __init__(self, target):
        self.target = target
        self.lock = threading.Lock()
        self.left = None  # [bytes that may pass in each direction]
        self.passed = [0, 0]  # since it was armed
        self.ends = [[], []]  # of the pieces: how much had passed then
        self.awaits_command = False
        self.piece = 0
        self.moved_at = time.monotonic()
        self.was_cut = False
        self.is_late = False
        self.may_go = threading.Event()
        self.is_over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def arm(self, direction, count, is_of_command=False, is_late=False,
            piece=0):
        with self.lock:
            self.direction = direction
            self.piece = piece
            self.left = [1 << 62, 1 << 62]
            self.left[direction] = count
            self.passed = [0, 0]
            self.ends = [[], []]
            self.was_cut = False
            self.awaits_command = is_of_command
            self.is_late = is_late
            self.may_go.clear()
            self.is_over.clear()

    def release(self):
        """Let the server have what is late, and come to its end."""
        self.may_go.set()
        assert self.is_over.wait(30), "the server does not end the session"

    def disarm(self):
        """Was there a cut?"""
        with self.lock:
            self.left = None
            return self.was_cut

    def is_quiet(self):
        """Has nothing passed for a moment?"""
        with self.lock:
            return time.monotonic() - self.moved_at > 0.02

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(client, server),
                             daemon=True).start()

    def _serve(self, client, server):
        try:
            while True:
                for source in select.select([client, server], [], [])[0]:
                    direction = SENT if source is client else ANSWERED
                    chunk = source.recv(65536)
                    allowed, is_cut = self._pass(direction, chunk)
                    if is_cut:
                        self._cut(client, server, direction, chunk[:allowed])
                        return
                    target = server if direction == SENT else client
                    target.sendall(chunk)
                    if not chunk:
                        return
        except OSError:
            pass
        finally:
            client.close()
            server.close()

    def _pass(self, direction, chunk):
        """How much of it; and is that the end?"""
        with self.lock:
            self.moved_at = time.monotonic()
            if direction == SENT and COMMAND.search(chunk):
                self.awaits_command = False
            if self.left is None or self.awaits_command or not chunk:
                return len(chunk), False
            if self.piece and direction == self.direction:
                self.piece -= 1
                if self.piece:
                    return len(chunk), False
                self.left[direction] = max(
                    len(chunk) - self.left[direction], 0)
            allowed = min(len(chunk), self.left[direction])
            self.left[direction] -= allowed
            self.passed[direction] += allowed
            self.ends[direction].append(self.passed[direction])
            is_cut = self.left[direction] == 0
            if is_cut:
                self.left = None
                self.was_cut = True
            return allowed, is_cut

    def _cut(self, client, server, direction, last):
        """The client gets what was passed to it, and a reset otherwise."""
        if direction == ANSWERED:
            client.sendall(last)
        elif not self.is_late:
            server.sendall(last)
        if direction == SENT:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack("ii", 1, 0))
        client.close()
        try:
            if self.is_late:
                self.may_go.wait()
                server.sendall(last)
            server.shutdown(socket.SHUT_WR)
            server.settimeout(30)
            while server.recv(65536):
                pass
        finally:
            self.is_over.set()


class Cache:
    """cache_tool on a port: see there for what it can do."""

    def __init__(self, port, user, password, auth, folders):
        self.base = process.make_base()
        self.log = open(self.base / "log", "wb")
        self.process = subprocess.Popen(
            [PROGRAM, self.base, str(port), user, password, auth, *folders],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        self._read("ok")

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
        self.log.close()
        process.remove(self.base)

    def _read(self, expected=None):
        line = self.process.stdout.readline().decode().rstrip("\n")
        if expected is not None and line != expected:
            raise AssertionError(f"cache_tool: {line!r}: {self.log_text()}")
        return line

    def log_text(self, most=2000):
        """The end of it; None: all."""
        text = (self.base / "log").read_text(errors="replace")
        return text[-most:] if most else text

    def _ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)).encode() + b"\n")
        self.process.stdin.flush()

    def do(self, *words):
        self._ask(*words)
        self._read("ok")

    def deliver(self, folder, name, body):
        path = self.base / "body"
        path.write_bytes(body)
        self.do("deliver", folder, name, path)

    def go(self, seconds=0, word="pass"):
        """Let time pass until nothing is pending: (pending, held, refused,
        seconds it took)."""
        self._ask(word, int(seconds * 1000))
        *counts, passed = map(int, self._read().split())
        return (*counts, passed / 1000)

    def wait(self, seconds):
        """The same whatever is pending: it looks for news meanwhile."""
        return self.go(seconds, "wait")

    def names(self, folder):
        self._ask("names", folder)
        return self._read().split(" ")[:-1]


DATE = 1_234_567_890
BODY = (b"From: a@example.org\nDate: Thu, 1 Jan 2015 00:00:00 +0000\n"
        b"Subject: cut\nMessage-ID: <%s@cut>\n\nHello.\n")

# When a server takes what was cut short, in seconds after the cut: while it is
# looked for; when it was given up and sent again; when the day of looking for
# a second copy is nearly over.
WITHIN, AFTER, MUCH_AFTER = 10, 300, 23 * 3600
NEWS_S = 130  # the cache looks for news each minute


class Worker:
    """A cache on two folders of a server that others use, too, and what is
    to be there: cuts one exchange after the other, and looks at the server
    after each."""

    def __init__(self, server, name, user, wire="%s", auth="-",
                 others=("", r"\Flagged", r"\Deleted")):
        self.folders = [f"{name}{letter}" for letter in "ab"]
        self.wire = {name: wire % name for name in self.folders}
        self.client = Client(server.port, user, server.password)
        self.expected = {name: {} for name in self.folders}
        for name in self.folders:
            assert self.client.create(self.wire[name]), name
            for flags in others:
                self._others(name, flags)
        self.cutter = Cutter(server.port)
        self.cache = Cache(self.cutter.port, user, server.password,
                           auth, self.folders)
        self.last = 0  # message that was delivered

    def close(self):
        self.cache.close()
        self.cutter.close()
        self.client.close()

    def _others(self, folder, flags):
        """A message of another client, which nobody may touch."""
        mine = self.expected[folder]
        name = b"other%d" % len(mine)
        body = (BODY % name).replace(b"\n", b"\r\n")
        assert self.client.append(self.wire[folder], body, flags, DATE)
        mine[name.decode()] = {flags} - {""}

    def begin(self):
        """A new count, and a message to do something to."""
        self.faults = []
        self.cuts = 0
        self.seconds = []  # that it took until all was well
        self.twins_before = self._twins()
        self.append()
        self.cache.go(300)

    def twins(self):
        """How many second copies were removed since begin()."""
        return self._twins() - self.twins_before

    def _twins(self):
        return sum(map(int, re.findall(
            r"took (\d+) messages late, and so twice",
            self.cache.log_text(None))))

    # What can be done to the cache; each changes what is expected.

    def append(self):
        self.last += 1
        name = f"m{self.last}"
        self.cache.deliver(self.folders[0], name, BODY % name.encode())
        self.expected[self.folders[0]][name] = set()

    def store(self):
        """Change the flags of the message delivered last."""
        self._rename(0, lambda flags: flags ^ {r"\Flagged"})

    def move(self):
        """Take it to the other folder."""
        self._rename(1, lambda flags: flags)

    def _rename(self, to, change):
        name = f"m{self.last}"
        old, other = self.folders if name in self.expected[self.folders[0]] \
            else reversed(self.folders)
        new = other if to else old
        flags = change(self.expected[old].pop(name))
        letters = "".join(flag[1] for flag in sorted(flags)) or "-"
        self.cache.do("rename", old, name, new, letters)
        self.expected[new][name] = flags

    def append_two(self):
        """In one command, where the server has such."""
        self.append()
        self.append()

    # Cutting

    def rest(self):
        """Nothing is under way, and IDLE waits if it is used at all."""
        self.cache.go()
        process.wait_until(self.cutter.is_quiet, "silence")

    def measure(self, deed, is_of_command=False):
        """Where the pieces of an exchange end that is not cut, each way."""
        self.rest()
        self.cutter.arm(SENT, 1 << 62, is_of_command)
        deed(self)
        self.cache.go()
        process.wait_until(self.cutter.is_quiet, "silence")
        ends = list(self.cutter.ends)
        self.cutter.disarm()
        counts = self.cache.go(300)
        assert counts[:3] == (0, 0, 0), (counts, self.cache.log_text())
        self.check("uncut")
        return ends

    def cut(self, deed, direction, count, is_of_command=False, late=0,
            piece=0):
        """late: after so many seconds the server has what was sent last."""
        what = f"{deed.__name__} {('sent', 'answered')[direction]} {count}" + \
            " of the command" * is_of_command + \
            f" before the end of piece {piece}" * (piece > 0)
        if late:
            what += f", taken after {late} s"
        self.rest()
        self.cutter.arm(direction, count, is_of_command, late > 0, piece)
        deed(self)
        self.cache.go()
        process.wait_until(self.cutter.is_quiet, "silence")
        if self.cutter.disarm():
            self.cuts += 1
            if late:
                self.cache.wait(late)
                self.cutter.release()
                self.cache.wait(NEWS_S)
            assert self.cutter.is_over.wait(30), what
        counts = self.cache.go(300)
        self.seconds.append(counts[3])
        if counts[:3] != (0, 0, 0):
            self.faults.append(f"{what}: {counts}: {self.cache.log_text()}")
        self.check(what)

    def check(self, what):
        """The server has what is expected, each once, and so has the cache."""
        self.cache.go()
        for folder in self.folders:
            found = self.seen(folder)
            expected = sorted((name, sorted(flags)) for name, flags
                              in self.expected[folder].items())
            if found != expected:
                self.faults.append(f"{what}: {folder}: {found} is not "
                                   f"{expected}: {self.cache.log_text()}")
            shown = self.cache.names(folder)
            if len(shown) != len(expected):
                self.faults.append(f"{what}: {folder} shows {shown}")
            assert len(self.faults) < 4, self.faults

    def seen(self, folder):
        """[(name, flags)] of what the server has."""
        if not self.client.select(self.wire[folder]):
            return []
        _, items = self.client.imap.fetch(
            "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        found = []
        for index, item in enumerate(items):
            if not isinstance(item, tuple):
                continue
            text = item[0]
            if isinstance(items[index + 1], bytes):
                text += items[index + 1]
            flags = re.search(rb"FLAGS \(([^)]*)\)", text).group(1)
            name = re.search(rb"<(\w+)@cut>", item[1]).group(1)
            found.append((name.decode(), sorted(
                set(flags.decode().split()) - {r"\Recent"})))
        return sorted(found)
