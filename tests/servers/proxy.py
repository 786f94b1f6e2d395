"""A proxy between client and server: records, stalls, cuts, answers itself."""
import socket
import threading


class Proxy:
    """Listens on .port.  Plain bytes both ways, one thread a direction.

    .sent is all that clients sent, .received how much the server did.  stall_after(n): of each connection's
    answers let n more bytes pass, then hold the rest until resume().
    """

    def __init__(self, target):
        self.target = target
        self.sent = bytearray()
        self.received = 0
        self.connections = []
        self.allowed = None  # bytes still to pass; None: all
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
        self.listener.close()
        self.cut()

    def cut(self):
        """Drop every connection now."""
        connections, self.connections = self.connections, []
        for pair in connections:
            for s in pair:
                _shut(s)

    def stall_after(self, count):
        with self.gate:
            self.allowed = count

    def resume(self):
        with self.gate:
            self.allowed = None
            self.gate.notify_all()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self.connections.append((client, server))
            for a, b, is_answer in ((client, server, False),
                                    (server, client, True)):
                threading.Thread(target=self._copy, args=(a, b, is_answer),
                                 daemon=True).start()

    def _copy(self, source, target, is_answer):
        try:
            while chunk := source.recv(65536):
                if not is_answer:
                    self.sent += chunk
                    target.sendall(chunk)
                else:
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
