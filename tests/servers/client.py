"""An independent look at a server: Python's imaplib."""
import calendar
import contextlib
import imaplib
import re
import ssl
import time

imaplib._MAXLINE = 10_000_000


class Client:
    """One connection.  Mailbox names are as on the wire, in bytes or ASCII."""

    def __init__(self, port, user, password, ca=None):
        if ca:
            context = ssl.create_default_context(cafile=ca)
            self.imap = imaplib.IMAP4_SSL("localhost", port,
                                          ssl_context=context)
        else:
            self.imap = imaplib.IMAP4("127.0.0.1", port)
        self.imap.login(user, password)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with contextlib.suppress(Exception):
            self.imap.logout()

    @staticmethod
    def quoted(name):
        return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def create(self, name):
        """True if the server took it."""
        return self.imap.create(self.quoted(name))[0] == "OK"

    def has(self, name):
        """Is a mailbox listed as it was created?  Else it is deleted: some
        servers list names of which they cannot open a mailbox."""
        found = name in self.names()
        if not found:
            self.imap.delete(self.quoted(name))
        return found

    def append(self, name, body, flags="", date=None):
        """True if the server took it.  body goes out as it is."""
        literal = imaplib.MapCRLF
        imaplib.MapCRLF = re.compile(rb"(?!)")  # imaplib would mend it
        try:
            kind, _ = self.imap.append(
                self.quoted(name), f"({flags})",
                imaplib.Time2Internaldate(date) if date else None, body)
            return kind == "OK"
        finally:
            imaplib.MapCRLF = literal

    def names(self):
        """Mailboxes that hold mail, as on the wire."""
        _, lines = self.imap.list()
        found = []
        for line in lines:
            if isinstance(line, tuple):  # the name came as a literal
                line = line[0].rsplit(b"{", 1)[0] + b'"' + line[1] + b'"'
            if not line:
                continue
            flags, name = re.match(
                rb'\(([^)]*)\) (?:"(?:\\.|[^"])*"|NIL) (.*)', line,
                re.S).groups()
            if rb"\noselect" in flags.lower() or \
                    rb"\nonexistent" in flags.lower():
                continue
            if name.startswith(b'"'):
                name = re.sub(rb"\\(.)", rb"\1", name[1:-1])
            found.append(name.decode("latin-1"))
        return found

    def select(self, name, readonly=True):
        kind, answer = self.imap.select(self.quoted(name), readonly)
        assert kind == "OK", answer
        return int(answer[0])

    def messages(self, name):
        """{uid: (body, flags, epoch)} of a mailbox; never sets a flag."""
        if not self.select(name):
            return {}
        found = {}
        for item in self.imap.uid(
                "FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")[1]:
            if not isinstance(item, tuple):
                if item and found:  # what comes after the literal
                    self._add(found, item)
                continue
            head, body = item
            uid = re.search(rb"UID (\d+)", head)
            found[uid.group(1) if uid else b"?"] = [head, body]
            if not uid:
                self._last = body
        result = {}
        for uid, (head, body) in found.items():
            date = imaplib.Internaldate2tuple(head)
            flags = re.search(rb"FLAGS \(([^)]*)\)", head).group(1)
            result[int(uid)] = (body, set(flags.decode().split()),
                                calendar.timegm(_utc(date)))
        return result

    @staticmethod
    def _add(found, tail):
        """Fields may come after the body: put them where the others are."""
        last = list(found)[-1]
        found[last][0] += b" " + tail
        uid = re.search(rb"UID (\d+)", tail)
        if last == b"?" and uid:
            found[uid.group(1)] = found.pop(last)

    def read_last(self, name):
        """True if the server gives the last message's body."""
        last = self.select(name, readonly=False)
        kind = self.imap.fetch(str(last), "(BODY.PEEK[])")[0] if last else "NO"
        self.imap.close()  # Courier appends to nothing that is selected
        return kind == "OK"

    def expunge_last(self, name):
        last = str(self.select(name, readonly=False))
        self.imap.store(last, "+FLAGS", r"(\Deleted)")
        self.imap.close()

    def flags(self, name):
        """{uid: flags}."""
        return {uid: flags
                for uid, (_, flags, _) in self.messages(name).items()}

    def store(self, name, uid, flags):
        self.select(name, readonly=False)
        assert self.imap.uid("STORE", str(uid), "+FLAGS", f"({flags})")[0] == \
            "OK"

    def expunge(self, name, uid):
        self.store(name, uid, r"\Deleted")
        self.imap.expunge()


def _utc(local):
    return time.gmtime(time.mktime(local))


LETTERS = {r"\Draft": "D", r"\Flagged": "F", r"\Answered": "R",
           r"\Seen": "S", r"\Deleted": "T", "$Forwarded": "P"}


def as_letters(flags):
    """What a Maildir calls these."""
    return "".join(sorted(LETTERS[flag] for flag in flags - {r"\Recent"}))


def lf(body):
    """What the mount shows of a body: CRLF pairs become LF, no more."""
    return body.replace(b"\r\n", b"\n")
