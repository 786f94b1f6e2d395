"""What other clients do appears by itself."""
import os
import re
import time

import pytest

from conftest import account
from servers.client import Client
from servers.process import wait_until

PUSHED_S = 2  # a second, and the time that a busy machine loses
BODY = b"Subject: %s\r\n\r\nhello\r\n"


def names(daemon, mailbox):
    return [path.name for path in daemon.folder(mailbox).files()]


def seen(daemon, mailbox, text, is_there=True):
    """Is there a message with text in its name's flags, or nothing?"""
    return any(text in name for name in names(daemon, mailbox)) == is_there


def soon(is_true, what, timeout=PUSHED_S):
    began = time.monotonic()
    wait_until(is_true, what, timeout)
    return time.monotonic() - began


def change_all(daemon, other, mailbox, elsewhere, timeout):
    """Each kind of change, seen within timeout; the times it took."""
    def count(expected, where=mailbox):
        return lambda: len(names(daemon, where)) == expected

    def flagged():
        return seen(daemon, mailbox, ",") and any(
            name.endswith(",FS") for name in names(daemon, mailbox))

    took = {}
    before = len(names(daemon, elsewhere))
    assert other.append(mailbox, BODY % b"one", r"\Seen")
    took["append"] = soon(count(1), "the message", timeout)
    other.select(mailbox)
    other.store("1", "+FLAGS", r"(\Flagged)")
    took["flag"] = soon(flagged, "the flag", timeout)
    other.move("1", elsewhere)
    took["move away"] = soon(count(0), "the move", timeout)
    took["move to"] = soon(count(before + 1, elsewhere), "the move", timeout)
    other.select(elsewhere)
    other.store("1:*", "+FLAGS", r"(\Deleted)")
    other.expunge()
    took["expunge"] = soon(count(0, elsewhere), "the removal", timeout)
    return took
