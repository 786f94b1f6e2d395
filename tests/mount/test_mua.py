"""A session in a mail program: server and mount agree after each step."""
import email
import re
import shutil
from email.utils import formatdate

import pytest
from servers import process
from servers.client import as_letters, lf
from terminal import run_to_end

SUBJECTS = ("first", "second", "third", "fourth")
MESSAGE = (b"From: Ada <ada@example.org>\r\nTo: Bob <bob@example.org>\r\n"
           b"Subject: %s\r\nMessage-ID: <%s@example.org>\r\n"
           b"Date: %s\r\n"
           b"Content-Type: text/plain\r\n\r\nHello %s.\r\n")
SWALLOW = "#!/bin/sh\ncat >> {home}/sent\n"
EDITOR = "#!/bin/sh\necho An answer. >> \"$1\"\n"


class World:
    """What the steps have made of the mailboxes: {subject: flags} of each."""

    def __init__(self, mail, client, terminal):
        self.mail, self.client, self.terminal = mail, client, terminal
        self.boxes = {name: {} for name in ("INBOX", "Sent", "Archive",
                                            "Trash")}

    @staticmethod
    def _entry(body, flags):
        return email.message_from_bytes(body)["Subject"], flags, body

    def _server(self, name):
        return sorted(self._entry(lf(body), as_letters(flags)) for
                      body, flags, _ in self.client.messages(name).values())

    def _mount(self, name):
        """What aerc writes has CRLF."""
        return sorted(
            self._entry(lf(path.read_bytes()), path.name.partition(":2,")[2])
            for path in self.mail.folder(name).files())

    def _all(self, side):
        return {name: side(name) for name in self.boxes}

    def _is_meant(self):
        try:
            self.seen = self._all(self._mount)
        except FileNotFoundError:
            return False  # it changed under us
        return all([entry[:2] for entry in self.seen[name]] ==
                   sorted(box.items()) for name, box in self.boxes.items())

    def agrees(self):
        """Wait till the mount is what the steps meant; the server is, too."""
        try:
            process.wait_until(self._is_meant, "the step", timeout=20)
        except TimeoutError:
            raise AssertionError(f"meant: {self.boxes}\nmount: {self.seen}\n"
                                 f"{self.terminal.screen()}") from None
        done = self.mail.command("sync")
        assert done.returncode == 0, done.stderr
        assert self._all(self._server) == self._all(self._mount) == self.seen

    def set(self, name, subject, flags):
        self.boxes[name][subject] = flags
        self.agrees()

    def move(self, subject, source, target):
        self.boxes[target][subject] = self.boxes[source].pop(subject)
        self.agrees()

    def remove(self, subject, source):
        del self.boxes[source][subject]
        self.agrees()


MUTTRC = """\
set mbox_type=Maildir folder={mount} spoolfile=+INBOX record=+Sent
set sendmail={home}/swallow editor={home}/editor
set from=bob@example.org realname=Bob hostname=example.org
set fast_reply=yes include=yes delete=yes quit=yes confirmappend=no move=no
set wait_key=no sleep_time=0 arrow_cursor=yes index_format="<%Z> %s"
set status_format="%f has %m"
"""


class Mutt:
    """What it does to messages is done at `$`; it moves by copy and unlink."""

    name, more = "mutt", ""

    def __init__(self, mail, home, terminal):
        (home / "rc").write_text(MUTTRC.format(mount=mail.mount, home=home) +
                                 self.more)
        self.terminal = terminal(f"{self.name} -n -F {home}/rc")
        self.type, self.keys = self.terminal.type, self.terminal.keys
        self.wait_for = self.terminal.wait_for
        self.wait_for("=INBOX has 4")

    def _find(self, subject):
        self.keys("/")
        self.wait_for("Search for")
        self.keys("C-u")
        self.type(f"~s ^{subject}$")
        self.terminal.wait_for_line(f"-> .*> {subject}")

    def _answer(self, key, question, answer):
        self.keys(key)
        self.wait_for(question)
        self.keys("C-u")
        self.type(answer)

    def _is_marked(self, subject, mark):
        self.terminal.wait_for_line(f".*<{mark}> {subject}")

    def open(self, name):
        self._answer("c", "Open mailbox", f"={name}")
        self.wait_for(f"={name} has")

    def read(self, subject):
        self._find(subject)
        self.keys("Enter")
        self.wait_for(f"Hello {subject}.")
        self.keys("i", "$")

    def flag(self, subject):
        self._find(subject)
        self.keys("F", "$")

    def reply(self, subject):
        self._find(subject)
        self.keys("r")
        self.wait_for("Fcc:")
        self.keys("y")
        self.wait_for("Mail sent")
        self.keys("$")

    def move(self, subject, target):
        self._find(subject)
        self._answer("s", "Save to mailbox", f"={target}")
        self._is_marked(subject, ".*D.*")
        self.keys("$")

    def undelete(self, subject):
        self._find(subject)
        self.keys("u")
        self._is_marked(subject, "[^D]*")
        self.keys("$")

    def change_mind(self, subject):
        """Delete, and undelete before it is done."""
        self._find(subject)
        self.keys("d")
        self._is_marked(subject, ".*D.*")
        self.undelete(subject)

    def delete(self, subject):
        self._find(subject)
        self.keys("d")
        self._is_marked(subject, ".*D.*")
        self.keys("$")

    def quit(self):
        self.keys("q")


class NeoMutt(Mutt):
    """As many set it: what is deleted is copied to the trash by itself."""

    name, more = "neomutt", "set trash==Trash\n"


class MarkingMutt(Mutt):
    """Deletes by T in the name: others see it, and may undo or finish it."""

    more = "set maildir_trash=yes\n"


ACCOUNT = """\
[bob]
source = maildir://{mount}
outgoing = {home}/swallow
from = Bob <bob@example.org>
copy-to = Sent
default = INBOX
"""


class Aerc:
    """Does all at once; it moves by rename.  What is new it moves to cur."""

    name = "aerc"

    def __init__(self, mail, home, terminal):
        (home / "aerc").mkdir()
        (home / "aerc/accounts.conf").write_text(
            ACCOUNT.format(mount=mail.mount, home=home))
        (home / "aerc/accounts.conf").chmod(0o600)
        (home / "aerc/aerc.conf").write_text("[ui]\nsort = date\n")
        self.terminal = terminal("aerc", XDG_CONFIG_HOME=str(home),
                                 XDG_RUNTIME_DIR=str(home),
                                 EDITOR=str(home / "editor"))
        self.type, self.keys = self.terminal.type, self.terminal.keys
        self.wait_for = self.terminal.wait_for
        self.wait_for(*SUBJECTS)

    def _find(self, subject):
        """By its place in the list, which is in order of date."""
        self.wait_for(f" {subject}\n")
        shown = re.findall(r"(?m) (\w+)$", self.terminal.screen())
        shown = [word for word in shown if word in SUBJECTS]
        self.type(f":select {shown.index(subject)}")

    def open(self, name):
        self.type(f":cf {name}")

    def read(self, subject):
        self._find(subject)
        self.type(":view")
        self.wait_for(f"Subject: {subject}")
        self.keys("q")
        self.wait_for(*SUBJECTS)

    def flag(self, subject):
        self._find(subject)
        self.type(":flag -t")
        self.wait_for("successful")

    def reply(self, subject):
        self._find(subject)
        self.type(":reply -q")
        self.wait_for("Send this email?")
        self.keys("y")
        self.wait_for("Message sent.")

    def move(self, subject, target):
        self._find(subject)
        self.type(f":mv {target}")
        self.wait_for(f"moved to {target}")

    def delete(self, subject):
        self._find(subject)
        self.type(":delete")
        self.wait_for("Messages deleted.")

    def quit(self):
        self.type(":quit")


def put(client, subjects):
    """Each a minute later than the one before."""
    for number, subject in enumerate(subjects):
        name, date = subject.encode(), 1_700_000_000 + 60 * number
        client.append("INBOX", MESSAGE % (
            name, name, formatdate(date).encode(), name), "", date)


@pytest.fixture(params=(Mutt, NeoMutt, Aerc), ids=lambda mua: mua.name)
def mua(request, mail, client, terminal, tmp_path):
    if not shutil.which(request.param.name):
        pytest.skip(f"{request.param.name} is not installed")
    for name, text in (("swallow", SWALLOW), ("editor", EDITOR)):
        (tmp_path / name).write_text(text.format(home=tmp_path))
        (tmp_path / name).chmod(0o755)
    client.create("Archive")
    put(client, SUBJECTS)
    mail.start()
    process.wait_until(lambda: len(mail.folder().files()) == 4, "the mail")
    return request.param(mail, tmp_path, terminal)


@pytest.mark.timeout(120)
def test_a_session(mua, mail, client, tmp_path):
    world = World(mail, client, mua.terminal)
    world.boxes["INBOX"] = dict.fromkeys(SUBJECTS, "")
    world.agrees()
    mua.read("first")
    world.set("INBOX", "first", "S")
    mua.flag("second")
    world.set("INBOX", "second", "F")
    mua.reply("first")
    world.boxes["Sent"]["Re: first"] = "S"
    world.set("INBOX", "first", "RS")
    assert (tmp_path / "sent").read_text().count("An answer.") == 1
    mua.move("third", "Archive")
    world.move("third", "INBOX", "Archive")
    if hasattr(mua, "change_mind"):
        mua.change_mind("fourth")
        world.agrees()
    mua.delete("fourth")
    world.move("fourth", "INBOX", "Trash")
    mua.open("Trash")
    mua.move("fourth", "INBOX")
    world.move("fourth", "Trash", "INBOX")
    mua.open("INBOX")
    mua.delete("fourth")
    world.move("fourth", "INBOX", "Trash")
    mua.open("Trash")
    mua.delete("fourth")
    world.remove("fourth", "Trash")
    mua.quit()
    world.agrees()
    assert mail.stop() == 0
    mail.start()
    world.agrees()


@pytest.mark.parametrize("mua", [MarkingMutt], indirect=True)
def test_deleted_by_a_mark(mua, mail, client):
    world = World(mail, client, mua.terminal)
    world.boxes["INBOX"] = dict.fromkeys(SUBJECTS, "")
    mua.delete("third")
    world.set("INBOX", "third", "T")
    mua.undelete("third")
    world.set("INBOX", "third", "")
    mua.delete("third")
    world.set("INBOX", "third", "T")
    client.expunge("INBOX", 3)
    world.remove("third", "INBOX")


@pytest.mark.skipif(not shutil.which("mutt"), reason="mutt is not installed")
def test_mutt_moves_a_hundred(mail, client, tmp_path):
    """Nothing is lost by that: it is not held, and not in the trash too."""
    client.create("Archive")
    put(client, map(str, range(100)))
    mail.start()
    process.wait_until(lambda: len(mail.folder().files()) == 100, "the mail")
    dates = sorted(date for _, _, date in client.messages("INBOX").values())
    (tmp_path / "rc").write_text(
        MUTTRC.format(mount=mail.mount, home=tmp_path) +
        'push "<tag-pattern>~A<enter><tag-prefix><save-message>=Archive<enter>'
        '<sync-mailbox><quit>"\n')
    run_to_end(f"mutt -n -F {tmp_path}/rc", tmp_path)
    process.wait_until(lambda: mail.status()[0]["pending"] == 0, "the server")
    assert sorted(date for _, _, date in client.messages("Archive").values()) \
        == dates
    assert client.messages("INBOX") == client.messages("Trash") == {}
