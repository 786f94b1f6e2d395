#!/usr/bin/python3
"""Mount a sample account from a private server, and show what it is like.

Usage: demo.py DIRECTORY start MAILMOUNT
       demo.py DIRECTORY stop

Everything lies below DIRECTORY; stop leaves nothing.
"""
import os
import pathlib
import shlex
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import sample  # noqa: E402
from servers import process, tls  # noqa: E402
from servers.client import Client  # noqa: E402
from servers.dovecot import Dovecot  # noqa: E402

# What the transcript shows; run in the mount point.
COMMANDS = [
    "ls -R . | head -n 30",
    "find . -type f | wc -l",
    "ls -l INBOX/new | head -n 5",
    "grep -rl Invoice INBOX | wc -l",
    "find . -name '*:2,*F*' | head -n 3",
    "head -n 6 \"$(ls -d INBOX/cur/* | head -n 1)\"",
    "stat -c '%n: %s bytes, received %y' \"$(ls -d Sent/cur/* | head -n 1)\"",
    "printf 'Subject: by hand\\n\\nHello.\\n' > INBOX/tmp/1.hand",
    "mv INBOX/tmp/1.hand INBOX/new/",
    "grep -rlZ Invoice INBOX/cur | xargs -0 mv -t Archive/cur",
    "mailmount queue",
    "mailmount sync",
    "ls INBOX/new | grep hand",
    "mailmount status",
]


def environment(directory, program=None):
    """The demo's own home, away from the user's settings."""
    own = {f"XDG_{kind}_HOME": str(directory / kind.lower())
           for kind in ("CONFIG", "STATE", "CACHE")}
    path = os.environ.get("PATH", "")
    if program:
        path = f"{program.parent}:{path}"
    return {**os.environ, **own, "HOME": str(directory), "PATH": path,
            "LC_ALL": "C.UTF-8"}


def start_server(directory):
    authority = tls.Authority(directory / "tls")
    server = Dovecot(directory / "server", authority.issue("server"),
                     special=("Sent", "Drafts", "Trash", "Archive")).start()
    (directory / "server.pid").write_text(f"{server.process.pid}\n")
    with Client(server.port, "demo", server.password) as client:
        for mailbox in sample.MAILBOXES:
            client.create(mailbox)
        for mailbox, flags, date, body in sample.mail():
            if not client.append(mailbox, body, flags, date):
                sys.exit(f"the server refuses mail for {mailbox}")
    return server, authority


def configure(directory, server, authority):
    path = directory / "config/mailmount/config"
    path.parent.mkdir(parents=True)
    path.write_text(
        f"[account demo]\n"
        f"server = imaps://localhost:{server.tls_port}\n"
        f"user = demo\n"
        f"password-command = echo {server.password}\n"
        f"tls-ca = {authority.ca}\n")
    path.chmod(0o600)
    return path


def show(mount, environment_of_it):
    for command in COMMANDS:
        print(f"$ {command}", flush=True)
        subprocess.run(["bash", "-c", command], cwd=mount, timeout=60,
                       check=True, env=environment_of_it)
        print(flush=True)


def ask_server(server):
    """The same mail, as another client sees it."""
    print("# The server, asked by another client:")
    with Client(server.port, "demo", server.password) as client:
        for mailbox, word in ("INBOX", b"by hand"), ("Archive", b"Invoice"):
            found = [body for body, _, _ in client.messages(mailbox).values()
                     if word in body]
            print(f"#   {mailbox}: {len(found)} with {word.decode()!r}")
    print(flush=True)


def start(directory, program):
    program = pathlib.Path(program).resolve()
    stop(directory, is_quiet=True)
    directory.mkdir(parents=True)
    directory.chmod(0o755)  # the server runs as another user, if we are root
    server, authority = start_server(directory)
    config = configure(directory, server, authority)
    mount = directory / "Mail"
    mount.mkdir()
    own = environment(directory, program)
    print(f"$ cat {config}\n{config.read_text()}")
    print(f"$ mailmount {mount}\n$ cd {mount}", flush=True)
    subprocess.run([program, mount], env=own, check=True, timeout=60)
    show(mount, own)
    ask_server(server)
    print(f"The mail is at {shlex.quote(str(mount))}.  To end: ./run demo stop")


def is_ours(pid, directory):
    """Is it still the server that we started there?"""
    try:
        command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return str(directory / "server").encode() in command


def unmount(mount):
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        is_mounted = any(line.split()[4] == str(mount) for line in lines)
    if is_mounted:
        subprocess.run(["fusermount3", "-u", "-z", mount], check=True)


def stop(directory, is_quiet=False):
    if not directory.exists():
        if not is_quiet:
            print("The demo is not running.")
        return
    if directory.stat().st_uid != os.getuid():
        sys.exit(f"{directory} belongs to somebody else")
    unmount(directory / "Mail")
    pid_file = directory / "server.pid"
    pid = int(pid_file.read_text()) if pid_file.exists() else 0
    if pid and is_ours(pid, directory):
        os.killpg(pid, signal.SIGTERM)
        process.wait_until(lambda: not is_ours(pid, directory), "its end")
    process.remove(directory)
    if not is_quiet:
        print(f"Unmounted and stopped; {directory} is gone.")


def main():
    # mountinfo shows no symbolic links
    directory = pathlib.Path(sys.argv[1]).resolve()
    if sys.argv[2] == "stop":
        stop(directory)
    else:
        start(directory, sys.argv[3])


if __name__ == "__main__":
    main()
