"""What a process has written and not synced, by its system calls.

This is POSIX to the letter: a name lasts when its directory was synced, data
when its file was.  File systems do better, each in its way: ext4 and XFS sync
a new file's name with it.
"""
import collections
import os
import re

CALLS = ("openat,mkdir,mkdirat,rename,renameat2,link,unlink,unlinkat,write,"
         "pwrite64,writev,pwritev,splice,copy_file_range,ftruncate,fallocate,"
         "fsync,fdatasync")
LINE = re.compile(r"(\d+\.\d+) (\w+)\((.*)\) += (-?\d+)(?:<([^>]*)>)?.*"
                  r"<(\d+\.\d+)>$")
PATH = re.compile(r"\d+<([^>]*)>")

Call = collections.namedtuple("Call", "began ended name text result path")


def tracer(prefix):
    """What to start a process with: each thread's calls go to prefix.PID."""
    return ["strace", "-ff", "-y", "-ttt", "-T", "-qq", "-s", "0", "-e",
            "signal=none", "-e", f"trace={CALLS}", "-o", str(prefix)]


def calls(prefix):
    """In the order in which they ended."""
    found = []
    for path in prefix.parent.glob(prefix.name + ".*"):
        for line in path.read_text(errors="replace").splitlines():
            parts = LINE.match(line)
            if parts and int(parts[4]) >= 0:
                began = float(parts[1])
                found.append(Call(began, began + float(parts[6]), parts[2],
                                  parts[3], int(parts[4]), parts[5]))
    return sorted(found, key=lambda call: call.ended)


class Disk:
    """What below a directory is not on the disk yet.

    ignored: the ends of names that need not last.
    """

    def __init__(self, directory, ignored):
        self.directory, self.ignored = str(directory) + "/", ignored
        self.known = set()  # what is there
        self.names = set()  # paths whose names are not
        self.empty = set()  # files that were made, and then not touched yet
        self.data = set()  # paths whose data is not
        self.lost = set()  # whose data is not, and the log of it gone

    def _is_ours(self, path):
        return (path or "").startswith(self.directory) and \
            not path.endswith(self.ignored)

    def _appear(self, path):
        path = os.path.normpath(path)
        if self._is_ours(path) and path not in self.known:
            self.known.add(path)
            self.names.add(path)

    def _sync(self, path):
        self.data.discard(path)
        self.names = {name for name in self.names
                      if os.path.dirname(name) != path}

    def _end_log(self, path):
        """A log of SQLite's is begun anew, or removed."""
        if path.endswith("-wal"):
            self.lost |= self.data & {path.removesuffix("-wal")}

    def do(self, call):
        paths = PATH.findall(call.text)
        text = re.search(r'"([^"]*)"', call.text)
        if call.name in ("mkdir", "mkdirat"):
            self._appear(text[1])
        elif call.name == "openat":
            self.empty.discard(call.path)
            if "O_CREAT" in call.text and call.path not in self.known:
                self._appear(call.path)
                self.empty.add(call.path)
        elif call.name in ("unlink", "unlinkat"):
            base = paths[0] + "/" if paths else ""
            path = os.path.join(base, text[1])
            self._end_log(path)
            for kept in (self.known, self.names, self.data):
                kept.discard(path)
        elif call.name in ("fsync", "fdatasync"):
            self._sync(paths[0])
        elif paths and self._is_ours(paths[-1]):
            self.empty.discard(paths[-1])
            self.data.add(paths[-1])
            if call.name == "pwrite64" and call.text.endswith(", 0"):
                self._end_log(paths[-1])

    def unsynced(self):
        return sorted(self.names - self.empty | self.data | self.lost)
