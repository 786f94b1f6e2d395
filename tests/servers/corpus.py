"""Messages that real mailboxes hold and careless programs spoil."""
import imaplib

HEAD = b"From: Ada <ada@example.org>\r\nSubject: %s\r\n\r\n"

# Name to bytes, as given to APPEND.  A server may refuse some, and change some:
# what counts is what it gives back.
ODD = {
    "plain": HEAD % b"plain" + b"Hello.\r\n",
    "8-bit body": HEAD % b"latin" + b"Gr\xfc\xdfe \xff\xfe\x80\r\n",
    "8-bit header": HEAD % b"Gr\xc3\xbc\xc3\x9fe" + b"x\r\n",
    "NUL": HEAD % b"nul" + b"before\0after\r\n",
    "bare CR": HEAD % b"cr" + b"one\rtwo\r\r\nthree\r\n",
    "bare LF": HEAD % b"lf" + b"one\ntwo\n\nthree\r\n",
    "no final newline": HEAD % b"end" + b"the end",
    "ends with CR": HEAD % b"end" + b"the end\r",
    "long line": HEAD % b"long" + b"x" * 900_000 + b"\r\n",
    "empty": b"",
    "one byte": b"x",
    "only CRLFCRLF": b"\r\n\r\n",
    "headerless": b"\r\nno header here\r\n",
    "header only": b"Subject: nothing below\r\n",
    "From line": b"From ada@example.org Mon Jan  1 00:00:00 2024\r\n"
                 + HEAD % b"mbox" + b"From here on it is\r\n>From there\r\n",
    "mbox in body": HEAD % b"mbox" + b"\r\nFrom bob Mon Jan 1\r\n" * 50,
    "huge header": b"Subject: big\r\n" + b"".join(
        b"X-Header-%d: %s\r\n" % (i, b"v" * 60) for i in range(4000))
        + b"\r\nbody\r\n",
    "100 kB header line": b"Subject: long\r\nX-Long: " + b"y" * 100_000
                          + b"\r\n\r\nbody\r\n",
    "invalid charset": b"Subject: =?x-no-such?Q?=ZZ?=\r\nContent-Type: "
                       b"text/plain; charset=\"no such\"\r\n\r\n\x80\r\n",
    "dots and tags": HEAD % b"dots" + b".\r\n..\r\nA1 OK done\r\n* 1 EXPUNGE"
                     b"\r\n)\r\n{10}\r\n",
    "CR at 64 kB": HEAD % b"edge" + b"z" * (65535 - 45) + b"\r\n" * 40_000,
    "medium": HEAD % b"medium" + b"All work and no play.\r\n" * 20_000,
}

# IMAP flags to the letters of a Maildir name.
FLAGS = {
    r"": "",
    r"\Seen": "S",
    r"\Flagged": "F",
    r"\Answered": "R",
    r"\Draft": "D",
    r"\Deleted": "T",
    r"\Answered \Deleted \Draft \Flagged \Seen": "DFRST",
}

# Mailbox names as sent to CREATE.  A server takes what it likes.
NAMES = [
    "Lists", "Lists/cryptography", "Deep/er/and/deeper", "with space",
    "R&AOk-sum&AOk-", "100%", "a.b", "..", "a/../b", "../evil", "/abs",
    "cur", "new", "tmp", "Q/cur", "&AOk", "&&&", "x" * 200, "ends.", "%2F",
    "a\\b", "star*", 'quo"te', "~", "-u", ".hidden",
]


def fill(connect, separator="/"):
    """Put it all into an account; refusals are the server's right.

    connect() gives a Client; a new one is asked for when a server drops one.
    """
    session = Session(connect)
    session.do("read_last", "INBOX")  # Mailutils makes it then, not before
    for body in ODD.values():
        session.append("INBOX", body, "", 1_700_000_000)
    for number, flags in enumerate(FLAGS):
        session.append("INBOX", HEAD % b"flags" + b"%d\r\n" % number, flags,
                       1_600_000_000 + number)
    for name in NAMES:
        if separator != "/":
            name = "INBOX" + separator + name
        name = name.replace("/", separator)
        if session.do("create", name) and session.do("has", name):
            session.append(name, HEAD % b"in a folder" + name.encode()
                           + b"\r\n", "", 1_650_000_000)
    session.client.close()


class Session:
    def __init__(self, connect):
        self.connect = connect
        self.client = connect()

    def append(self, name, *arguments):
        """Append, and take out again what the server cannot give back: some
        store a message and then crash on it."""
        if self.do("append", name, *arguments) and \
                not self.do("read_last", name):
            self.do("expunge_last", name)

    def do(self, call, *arguments):
        """False: the server refused, or hung up rather than answer."""
        try:
            return getattr(self.client, call)(*arguments)
        except (imaplib.IMAP4.abort, OSError):
            self.client = self.connect()
        except imaplib.IMAP4.error:
            pass
        return False
