"""What programs deliver is one message on the server, and stays as it was."""
import os
import time

import pytest
from daemon import Folder
from deliverers import PROGRAMS, SOURCE, Setting
from servers import process
from servers.client import as_letters, lf
from servers.corpus import HEAD


def look(path):
    """All that a program may hold on to."""
    found = path.stat()
    return (path.name, path.parent.name, path.read_bytes(), found.st_ino,
            found.st_nlink, found.st_mode, found.st_uid, found.st_gid,
            found.st_size, found.st_mtime_ns)


def check(program, setting, mail, client, mailbox):
    """What it delivers to setting.box is in mailbox of the server."""
    names, box = set(client.names()), Folder(setting.box)
    begun = int(time.time())
    program.deliver(setting)
    ended = int(time.time())

    [path] = box.files()
    assert program.without_added(path.read_bytes()) == SOURCE
    assert path.name.partition(":2,")[2] == program.letters
    before, date = look(path), int(path.stat().st_mtime)
    assert date == program.date or \
        not program.date and begun <= date <= ended
    assert os.listdir(setting.box / "tmp") == []

    done = mail.command("sync")
    assert done.returncode == os.EX_OK, done.stderr
    [[body, flags, received]] = client.messages(mailbox).values()
    assert lf(body) == path.read_bytes()
    assert as_letters(flags) == program.letters
    assert received == date
    assert set(client.names()) == names

    # It is known again when the server tells of it, with another.
    client.append(mailbox, HEAD % b"another" + b"1\r\n")
    process.wait_until(lambda: len(box.files()) > 1, "another")
    for _ in range(2):
        assert len(box.files()) == 2
        assert look(path) == before
        assert mail.stop() == 0
        mail.start()
    assert len(client.messages(mailbox)) == 2


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_delivery_is_one_message(program, mail, client, dovecot_pop, user,
                                   base, tmp_path):
    dovecot_pop.put([SOURCE], user)
    client.create("Filed")
    mail.start()
    box = mail.mount / "Filed"
    process.wait_until(box.exists, "the mailbox")
    check(program, Setting(tmp_path, box, dovecot_pop, user, base), mail,
          client, "Filed")


@pytest.mark.parametrize("name", ["procmail", "maildrop", "dovecot-lda"])
def test_a_delivery_to_the_top(name, mail, options, client, dovecot_pop, user,
                               base, tmp_path):
    """Where INBOX is the mount itself, as many have their ~/Maildir."""
    options["layout"] = "maildir++"
    mail.write_config({"test": options})
    dovecot_pop.put([SOURCE], user)
    mail.start()
    check(PROGRAMS[name],
          Setting(tmp_path, mail.mount, dovecot_pop, user, base), mail,
          client, "INBOX")
