"""What the client writes to each real server, as another client sees it."""
import contextlib
import itertools

import pytest

from servers import corpus
from servers.client import Client
from servers.remote import Remote

# As a program writes them, and as they are on the wire.
CONTENTS = {
    "plain": (corpus.HEAD % b"plain" + b"Hello.\r\n").replace(b"\r\n", b"\n"),
    "no final newline": b"Subject: end\n\nthe end",
    "8-bit": b"Subject: latin\n\nGr\xfc\xdfe \xff\xfe\x80\n",
    "real CRLF": b"Subject: crlf\r\n\r\none\r\ntwo\n\nthree\r\n",
    "dots and tags": b"Subject: dots\n\n.\n..\nA1 OK done\n)\n{10}\n",
    "header only": b"Subject: nothing below\n",
    "long line": b"Subject: long\n\n" + b"x" * 200_000 + b"\n",
    "many lines": b"Subject: lines\n\n" + b"All work and no play.\n" * 20_000,
}
DATE = 1_234_567_890  # in summer time nowhere

_folders = (f"Write {number}" for number in itertools.count(1))


def wire(body):
    if not body.endswith(b"\n"):
        body += b"\r\n"
    return body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def uid(key):
    return int(key.split(".")[1])


class Account:
    """A server's account, by our client and by another one."""

    def __init__(self, server, remote, directory):
        self.server = server
        self.name = server.name
        self.remote = remote
        self.directory = directory
        self.folders = []  # to be deleted
        self.has_uidplus = server.name not in ("mailutils", "minimal")

    def wire_name(self, folder):
        if self.server.separator == "/":
            return folder
        return "INBOX." + folder.replace("/", ".")

    def folder(self):
        folder = next(_folders)
        assert self.remote.do("create", folder) == []
        self.folders.append(folder)
        return folder

    @contextlib.contextmanager
    def client(self):
        with Client(self.server.port, "bob", self.server.password) as client:
            yield client

    def messages(self, folder):
        with self.client() as client:
            return client.messages(self.wire_name(folder))

    def names(self):
        with self.client() as client:
            return client.names()

    def subscribed(self):
        with self.client() as client:
            return [line.decode() for line in client.imap.lsub()[1] if line]

    def append(self, folder, bodies, flags="-", date=DATE):
        """The keys told; [None] where they were not."""
        words = []
        for number, body in enumerate(bodies):
            path = self.directory / f"{number}"
            path.write_bytes(body)
            words += [flags, date + number, f"@{path}"]
        answer = self.remote.do("append", folder, *words)
        assert [line[:2] for line in answer] == [["-", "done"]] * len(bodies), \
            answer
        return [line[2] if len(line) > 2 else None for line in answer]

    def leave(self, folder):
        """Mailutils shows a session the folder as it was opened."""
        self.remote.do("mark", folder)

    def filled(self, count):
        """A folder of so many messages, and their keys."""
        folder = self.folder()
        self.append(folder, [b"Subject: %d\n\n%d\n" % (number, number)
                             for number in range(count)])
        return folder, [line[0] for line in self.remote.do("pull", folder)]


@pytest.fixture
def account(authority, server, tmp_path):
    with Remote(server, authority.ca) as remote:
        found = Account(server, remote, tmp_path)
        yield found
        for folder in found.folders:
            remote.do("delete", folder)


def test_append_stores_what_was_given(account):
    folder = account.folder()
    contents = [body for name, body in CONTENTS.items()
                if account.name != "mailutils" or name != "header only"]
    keys = account.append(folder, contents, "SF")
    found = account.messages(folder)
    assert [body for body, _, _ in found.values()] == \
        [wire(body) for body in contents]
    assert len(keys) == len(found)
    if account.has_uidplus:
        assert [uid(key) for key in keys] == list(found)
    if not account.server.invents_dates:
        assert [date for _, _, date in found.values()] == \
            list(range(DATE, DATE + len(found)))
        assert all({r"\Seen", r"\Flagged"} <= flags
                   for _, flags, _ in found.values())


def test_keywords_do_not_stop_a_message(account):
    folder = account.folder()
    account.append(folder, [b"Subject: a\n\nb\n"], "P,work")
    [(body, flags, _)] = account.messages(folder).values()
    assert body == b"Subject: a\r\n\r\nb\r\n"
    assert account.name == "mailutils" or \
        {"$forwarded", "work"} <= {flag.lower() for flag in flags}


def test_a_nul_is_refused_before_it_is_sent(account):
    folder = account.folder()
    path = account.directory / "good"
    path.write_bytes(b"Subject: good\n\n1\n")
    answer = account.remote.do("append", folder, "-", DATE, r"a\0b", "-", DATE,
                               f"@{path}")
    assert answer[0] == ["-", "refused", "EILSEQ"]
    assert answer[1][1] == "done"
    assert len(account.messages(folder)) == 1


def test_append_to_no_folder(account):
    answer = account.remote.do("append", "nowhere", "-", DATE, "a", "-", DATE,
                               "b")
    err = "EIO" if account.name == "mailutils" else "ENOENT"
    assert [line[:3] for line in answer] == [["-", "refused", err]] * 2


def test_since_a_mark_come_the_new_messages(account):
    folder, _ = account.filled(2)
    [[mark]] = account.remote.do("mark", folder)
    assert account.remote.do("since", folder, mark) == []
    account.append(folder, [b"Subject: new\n\n%d\n" % n for n in range(3)])
    found = account.remote.do("since", folder, mark)
    expected = list(account.messages(folder))[2:]
    assert [uid(line[0]) for line in found] == expected
    assert all(uid(line[0]) >= uid(mark) for line in found)
    [[later]] = account.remote.do("mark", folder)
    assert uid(later) == expected[-1] + 1
    assert account.remote.do("since", folder, f"1{mark}") == [["ESTALE"]]


def test_flags_are_added_and_removed(account):
    folder, keys = account.filled(4)
    changes = {keys[0]: "+SF", keys[1]: "+R,+S", keys[2]: "+D,-S"}
    answer = account.remote.do(
        "flags", folder, *itertools.chain(*changes.items()))
    assert answer == [[key, "done"] for key in changes]
    answer = account.remote.do("flags", folder, keys[0], "-F", keys[3], "+S")
    assert answer == [[keys[0], "done"], [keys[3], "done"]]
    flags = [found - {r"\Recent"}
             for _, found, _ in account.messages(folder).values()]
    assert flags == [{r"\Seen"}, {r"\Answered", r"\Seen"}, {r"\Draft"},
                     {r"\Seen"}]


def test_keywords_are_set_where_they_can_be(account):
    folder, [key] = account.filled(1)
    assert account.remote.do("flags", folder, key, "+PS,+work") == \
        [[key, "done"]]
    [(_, flags, _)] = account.messages(folder).values()
    assert r"\Seen" in flags
    if account.name != "mailutils":
        assert {"$forwarded", "work"} <= {flag.lower() for flag in flags}
    assert account.remote.do("flags", folder, key, "-P,-work") == \
        [[key, "done"]]
    [(_, flags, _)] = account.messages(folder).values()
    assert flags - {r"\Recent"} == {r"\Seen"}


def check_target(account, target, answer, bodies):
    found = account.messages(target)
    assert sorted(body for body, _, _ in found.values()) == sorted(bodies)
    for line, body in zip(answer, bodies):
        assert line[1] == "done"
        assert len(line) == 3 or not account.has_uidplus
        if len(line) == 3:
            assert found[uid(line[2])][0] == body


def test_copy_tells_the_new_keys(account):
    folder, keys = account.filled(5)
    target = account.folder()
    bodies = [body for body, _, _ in account.messages(folder).values()]
    chosen = [4, 0, 2]
    answer = account.remote.do("copy", folder, target,
                               *(keys[n] for n in chosen))
    check_target(account, target, answer, [bodies[n] for n in chosen])
    assert len(account.messages(folder)) == 5


def test_move_leaves_the_others(account):
    folder, keys = account.filled(5)
    target = account.folder()
    found = account.messages(folder)
    bodies = [body for body, _, _ in found.values()]
    chosen = [3, 1]
    answer = account.remote.do("move", folder, target,
                               *(keys[n] for n in chosen))
    check_target(account, target, answer, [bodies[n] for n in chosen])
    left = account.messages(folder)
    assert [body for body, _, _ in left.values()] == \
        [bodies[n] for n in (0, 2, 4)]
    if not account.server.invents_dates:
        assert sorted(date for _, _, date in account.messages(target).values()
                      ) == [DATE + 1, DATE + 3]


def test_what_is_gone_cannot_be_copied_or_moved(account):
    folder, keys = account.filled(3)
    target = account.folder()
    with account.client() as client:
        client.expunge(account.wire_name(folder), uid(keys[0]))
    if account.name == "mailutils":
        account.leave(folder)
    one, two = account.remote.do("copy", folder, target, *keys[:2])
    assert two[1] == "done"
    assert one == [keys[0], "refused", "ESTALE"]
    assert account.remote.do("move", folder, target, keys[0]) == \
        [[keys[0], "refused", "ESTALE"]]
    [(body, _, _)] = account.messages(target).values()
    assert body == b"Subject: 1\r\n\r\n1\r\n"


def test_remove_removes_nothing_else(account):
    folder, keys = account.filled(4)
    assert account.remote.do("remove", folder, keys[0], keys[2]) == \
        [[keys[0], "done"], [keys[2], "done"]]
    assert account.remote.do("remove", folder, keys[0])[0][1] == "done"
    bodies = [body for body, _, _ in account.messages(folder).values()]
    assert bodies == [b"Subject: %d\r\n\r\n%d\r\n" % (n, n) for n in (1, 3)]


def test_what_others_marked_stays(account):
    folder, keys = account.filled(3)
    with account.client() as client:
        client.store(account.wire_name(folder), uid(keys[1]), r"\Deleted")
        client.imap.unselect()
    if account.name == "mailutils":
        account.leave(folder)
    [line] = account.remote.do("remove", folder, keys[0])
    left = [uid(key) for key in keys]
    if account.has_uidplus:
        assert line == [keys[0], "done"]
        left.remove(uid(keys[0]))
    else:
        assert line[:3] == [keys[0], "refused", "EBUSY"]
    assert list(account.messages(folder)) == left


def test_folders_are_made_renamed_and_deleted(account):
    remote = account.remote
    folder = account.folder()
    assert remote.do("create", folder)[-1] == ["EEXIST"]
    assert remote.do("create", f"{folder}/Rés umé") == []
    inner = account.wire_name(f"{folder}/R&AOk-s um&AOk-")
    assert inner in account.names()
    assert any("R&AOk-s um&AOk-" in line for line in account.subscribed())
    account.append(f"{folder}/Rés umé", [b"Subject: in\n\nit\n"])
    renamed = folder.replace("Write", "Renamed")
    assert remote.do("rename", folder, renamed) == []
    inner = account.wire_name(f"{renamed}/R&AOk-s um&AOk-")
    names = account.names()
    assert inner in names and account.wire_name(folder) not in names
    assert any(inner in line for line in account.subscribed())
    assert not any(f"{account.wire_name(folder)}" in line
                   for line in account.subscribed())
    assert len(account.messages(f"{renamed}/R&AOk-s um&AOk-")) == 1
    answer = remote.do("rename", folder, "elsewhere")
    assert answer == [] if account.name == "courier" else \
        answer[-1] == ["ENOENT"]
    assert remote.do("pull", f"{renamed}/Rés umé") != []
    assert remote.do("delete", f"{renamed}/Rés umé") == []
    assert inner not in account.names()
    assert not any(inner in line for line in account.subscribed())
    assert remote.do("delete", f"{renamed}/Rés umé")[-1] == ["ENOENT"]
    assert remote.do("delete", renamed) == []


def test_a_name_with_the_delimiter_in_it(account):
    if account.server.separator == ".":
        assert account.remote.do("create", "a.b")[-1] == ["EINVAL"]
    assert account.remote.do("create", "a//b")[-1] == ["EINVAL"]


def test_many_messages(account):
    folder, keys = account.filled(300)
    assert len(set(keys)) == 300
    target = account.folder()
    every_second = keys[::2]
    answer = account.remote.do("move", folder, target, *every_second)
    assert {line[1] for line in answer} == {"done"}
    assert len(account.remote.do("pull", target)) == 150
    assert [line[0] for line in account.remote.do("pull", folder)] == keys[1::2]
