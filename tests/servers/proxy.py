"""A proxy between client and server: records, stalls, cuts, answers itself."""
import socket
import struct
import threading


class Proxy:
    """Listens on .port.  Plain bytes both ways, one thread a direction.

    .sent is all that clients sent, .received how much the server did, .turns
    what was said first on a connection after the server had spoken there, as
    (socket of the server, bytes): a round trip each.
    stall_after(n): of each connection's answers let n more bytes pass, then
    hold the rest until resume().  stall_at(word): the same with none, once a
    client has said this.  freeze(): what is connected now hears and says
    nothing more, for ever.  While .is_open is False who connects is turned
    away.
    """

    def __init__(self, target):
        self.target = target
        self.sent = bytearray()
        self.received = 0
        self.turns = []
        self.has_spoken = set()  # sockets of the server, until answered
        self.connections = []
        self.is_open = True
        self.allowed = None  # bytes still to pass; None: all
        self.word = None
        self.frozen = set()
        self.gate = threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.resume()
        _shut(self.listener)  # else who waits in accept() still gets one
        self.cut()

    def forget(self):
        """Count anew."""
        self.sent.clear()
        self.received = 0
        self.turns.clear()

    def turns_to_news(self):
        """Round trips of the first connection: from behind mailmount's login
        until all was asked that there is to know about messages."""
        said = [chunk for to, chunk in self.turns if to is self.turns[0][0]]
        said = said[said.index(b"M1 CAPABILITY\r\n"):]
        return next(n for n, chunk in enumerate(said)
                    if b"BODY" in chunk or b"NOTIFY" in chunk)

    def cut(self, is_reset=False):
        """Drop every connection now."""
        connections, self.connections = self.connections, []
        for pair in connections:
            for s in pair:
                if is_reset:
                    _reset(s)
                else:
                    _shut(s)

    def freeze(self):
        """As a network that went away: no byte passes, nothing ends."""
        with self.gate:
            self.frozen |= {s for pair in self.connections for s in pair}

    def stall_after(self, count):
        with self.gate:
            self.allowed = count

    def stall_at(self, word):
        self.word = word

    def resume(self):
        self.word = None
        with self.gate:
            self.allowed = None
            self.gate.notify_all()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if not self.is_open:
                _shut(client)
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                _shut(client)  # the server is away
                continue
            self.connections.append((client, server))
            for a, b, is_answer in ((client, server, False),
                                    (server, client, True)):
                threading.Thread(target=self._copy, args=(a, b, is_answer),
                                 daemon=True).start()

    def _copy(self, source, target, is_answer):
        try:
            while chunk := source.recv(65536):
                if source in self.frozen:
                    continue
                if not is_answer:
                    self.sent += chunk
                    if self.word and self.word in chunk:
                        self.stall_after(0)
                    if target in self.has_spoken:
                        self.turns.append((target, chunk))
                    self.has_spoken.discard(target)
                    target.sendall(chunk)
                else:
                    self.has_spoken.add(source)
                    self.received += len(chunk)
                while is_answer and chunk:
                    part = self._pass(len(chunk))
                    target.sendall(chunk[:part])
                    chunk = chunk[part:]
        except OSError:
            pass
        _shut(source)
        _shut(target)

    def _pass(self, wanted):
        """How many bytes of an answer may go on; waits for at least one."""
        with self.gate:
            while self.allowed == 0:
                self.gate.wait()
            if self.allowed is None:
                return wanted
            count = min(wanted, self.allowed)
            self.allowed -= count
            return count


def _reset(s):
    """The other end hears of it as an error."""
    try:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                     struct.pack("ii", 1, 0))
    except OSError:
        pass
    _shut(s)


def _shut(s):
    try:
        s.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    s.close()


class Script:
    """A server that says fixed things: [(wait for, then say), …] per
    connection.  .sent is what it was told."""

    def __init__(self, steps):
        self.steps = steps
        self.sent = bytearray()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(peer,),
                             daemon=True).start()

    def _talk(self, peer):
        try:
            for wanted, answer in self.steps:
                tag = b""
                heard = bytearray()
                while wanted and wanted not in heard.upper():
                    chunk = peer.recv(4096)
                    if not chunk:
                        return
                    heard += chunk
                    self.sent += chunk
                for line in bytes(heard).splitlines():
                    if wanted and wanted in line.upper():
                        tag = line.split(b" ")[0]
                peer.sendall(answer.replace(b"TAG", tag))
            while chunk := peer.recv(4096):
                self.sent += chunk
        except OSError:
            pass
        finally:
            _shut(peer)
