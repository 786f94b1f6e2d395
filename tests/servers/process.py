"""Free ports, directories that other users can reach, processes that end."""
import contextlib
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time


# Runs what follows with mounts of its own, and processes of its own: whatever
# they fork into the background ends with it.
NAMESPACE = ["unshare", "--mount", "--propagation", "private", "--pid",
             "--fork", "--kill-child", "--mount-proc"]

PORTS = 10_000, 32_768  # below those of ip_local_port_range


class Unavailable(Exception):
    """This machine cannot run the server; the text says why."""


def is_root():
    return os.geteuid() == 0


def free_ports(count):
    """Ports nobody has now, of those that no outgoing connection is given."""
    with contextlib.ExitStack() as stack:
        found = []
        while len(found) < count:
            s = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                s.bind(("127.0.0.1", random.randrange(*PORTS)))
                found.append(s.getsockname()[1])
        return found


def is_open(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def wait_until(is_true, what, timeout=60):
    """The time is for machines that are slow, and no bound of ours."""
    end = time.monotonic() + timeout
    while not is_true():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {timeout} s")
        time.sleep(0.02)


def make_base(prefix="mailmount-test-"):
    """A directory below the temporary one that other users may enter."""
    path = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
    path.chmod(0o755)
    return path


def give(path, user):
    """Hand a tree to user; as an ordinary user everything is ours already."""
    if not is_root():
        return
    entry = pwd.getpwnam(user)
    for directory, _, names in os.walk(path):
        for name in [directory, *(os.path.join(directory, n) for n in names)]:
            os.lchown(name, entry.pw_uid, entry.pw_gid)


def run_as(user):
    """Arguments of Popen() that run it as user, if we are root."""
    if not is_root():
        return {}
    group = pwd.getpwnam(user).pw_gid
    return {"user": user, "group": group, "extra_groups": [group]}


def start(command, log, **more):
    """Start a server in a session of its own, output to the file log."""
    with open(log, "ab") as out:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out,
                                stderr=out, start_new_session=True, **more)


def stop(process, timeout=5):
    """End a process of start() and whatever it has started."""
    if process is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        pass
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout)


def remove(path):
    shutil.rmtree(path, ignore_errors=True)
