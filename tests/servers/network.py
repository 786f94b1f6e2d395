"""A network of one's own, in which any address may come and go."""
import contextlib
import ctypes
import os
import subprocess

from servers import process

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _call(name, *arguments):
    if getattr(_libc, name)(*arguments) < 0:
        error = ctypes.get_errno()
        raise process.Unavailable(f"{name}: {os.strerror(error)}")


@contextlib.contextmanager
def own():
    """This thread, and all that it starts meanwhile, has a loopback of its
    own and nothing else."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _call("unshare", CLONE_NEWNET)
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            _call("setns", before, CLONE_NEWNET)
    finally:
        os.close(before)


def add(address):
    subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)


def remove(address):
    subprocess.run(["ip", "address", "del", address, "dev", "lo"], check=True)
