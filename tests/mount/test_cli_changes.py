"""The commands about changes, where there are none."""
import json
import os

import pytest


def test_nothing_waits(mail, messages):
    messages(3)
    mail.start()
    mail.folder().files()
    answer = mail.command("sync")
    assert (answer.returncode, answer.stdout, answer.stderr) == \
        (os.EX_OK, "", "")
    answer = mail.command("queue")
    assert (answer.returncode, answer.stdout) == (os.EX_OK, "")
    queue = json.loads(mail.command("queue", "--json").stdout)
    assert [(one["account"], one["total"], one["changes"])
            for one in queue] == [("test", 0, [])]
    assert queue[0]["directory"] == str(mail.mount)
    status = mail.status()[0]
    assert (status["pending"], status["held"], status["refused"]) == (0, 0, 0)
    assert mail.stop() == os.EX_OK


@pytest.mark.parametrize("order", ["confirm", "undo", "retry"])
def test_no_change_is_told(mail, order):
    mail.start()
    answer = mail.command(order, "test")
    assert answer.returncode == os.EX_OK, answer.stderr
    assert answer.stdout.startswith("test: 0 ")


@pytest.mark.parametrize("command", ["sync", "queue", "confirm", "undo",
                                     "retry"])
def test_who_is_not_mounted_is_told(mail, command):
    answer = mail.command(command)
    assert answer.returncode == os.EX_UNAVAILABLE
    assert answer.stderr == "mailmount: test: is not mounted\n"


def test_unmounting_says_nothing_when_nothing_waits(mail):
    mail.start()
    answer = mail.command("-u", mail.mount)
    assert (answer.returncode, answer.stdout, answer.stderr) == \
        (os.EX_OK, "", "")
    assert mail.process.wait(5) == os.EX_OK
