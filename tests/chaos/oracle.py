"""What is there at last: on the server, on mounts, and by right."""
import collections
import os
import pathlib
import shutil

from chaos.messages import letters_of, name_letters, token_of
from servers.client import Client, lf
from servers.process import wait_until


def on_server(server, user):
    """[(mailbox, token, letters)], and the mailboxes, as a new IMAP session
    has them."""
    found, names = [], []
    with Client(server.port, user, server.password) as client:
        for wire in client.names():
            name = wire.replace(server.separator, "/")
            if server.separator == ".":
                name = name.removeprefix("INBOX/")
            names.append(name)
            found += [(name, token_of(lf(data)), letters_of(flags))
                      for data, flags, _ in client.messages(wire).values()]
    return sorted(found, key=str), sorted(names)


def on_mount(daemon):
    """The same as a mount shows it."""
    found = []
    for mailbox in daemon.folders():
        for path in daemon.folder(mailbox).files():
            found.append((mailbox, token_of(path.read_bytes()),
                          name_letters(path.name)))
    return sorted(found, key=str)


def differences(one, other):
    """What is only in the one, and only in the other."""
    a, b = collections.Counter(one), collections.Counter(other)
    return sorted((a - b).elements(), key=str), \
        sorted((b - a).elements(), key=str)


class Judge:
    """Compares, and puts what differs into the history."""

    def __init__(self, history):
        self.history = history

    def same(self, what, found, wanted):
        too_much, missing = differences(found, wanted)
        if too_much or missing:
            self.history.fault(
                f"{what}: {len(too_much)} too much: {too_much[:10]}, "
                f"{len(missing)} missing: {missing[:10]}",
                *{row[1] for row in too_much[:5] + missing[:5] if row[1]})

    def becomes(self, what, daemon, wanted, mailboxes, timeout=60):
        """A mount comes to show it, and then stays so."""
        shown = []

        def is_same():
            try:
                shown[:] = on_mount(daemon)
            except OSError as error:  # it changed while we looked
                shown[:] = [("", str(error), "")]
            return shown == wanted and daemon.folders() == mailboxes
        try:
            wait_until(is_same, what, timeout)
        except TimeoutError:
            self.same(what, shown, wanted)
            if daemon.folders() != mailboxes:
                self.history.fault(f"{what}: {daemon.folders()} is not "
                                   f"{mailboxes}")


def keep(history, daemons):
    """For who looks for the cause: all there is, where it is wanted."""
    directory = os.environ.get("MAILMOUNT_CHAOS_KEEP")
    if not directory or not history.faults:
        return
    target = pathlib.Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    (target / "history").write_text(history.text())
    for number, daemon in enumerate(daemons):
        shutil.copy(daemon.log, target / f"log{number}")
        for path in (daemon.base / "state").rglob("index.db*"):
            shutil.copy(path, target / f"{number}-{path.name}")
