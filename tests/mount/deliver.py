"""Delivers to a Maildir until it is ended, and tells of what has returned.

    deliver.py MAILDIR PREFIX RECORD SIZE

Each file is made in tmp, written, and linked or renamed into new; every other
one is synced before.  Its name is appended to RECORD, a line each, when the
call that gave it that name has returned.
"""
import itertools
import os
import sys
import time
import zlib

LARGE_EVERY = 16


def body(name, size):
    """What a file of that name holds: known from the name alone."""
    length = 200 + zlib.crc32(name.encode()) % size
    if zlib.crc32(name.encode()) % LARGE_EVERY == 0:
        length *= 10
    line = f"{name} {zlib.crc32(name.encode()):08x}\n"
    head = f"Message-ID: <{name}@example.org>\nSubject: {name}\n\n"
    return (head + line * (length // len(line) + 1)).encode()


def deliver(maildir, name, size):
    """Returns when it was delivered: what comes after that is tidying up."""
    number = zlib.crc32(name.encode())
    path, new = f"{maildir}/tmp/{name}", f"{maildir}/new/{name}"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, body(name, size))
    if number & 1:
        os.fsync(fd)
    os.close(fd)
    if number & 2:
        os.rename(path, new)
        return time.time()
    os.link(path, new)
    ended_at = time.time()
    os.unlink(path)
    return ended_at


def main():
    maildir, prefix, record, size = sys.argv[1:]
    out = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for number in itertools.count():
        name = f"{prefix}.{number}"
        deliver(maildir, name, int(size))
        os.write(out, name.encode() + b"\n")


if __name__ == "__main__":
    main()
