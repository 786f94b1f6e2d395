"""A disk whose power can be cut: file systems on loop devices, as root.

What a file system has given to its disk is in a file on XFS, of which a copy
can be made in an instant that shares its blocks: what would be left if the
power went then.
"""
import contextlib
import fcntl
import subprocess

from servers import process

FICLONE = 0x40049409  # linux/fs.h
OUTER_MIB = 4096  # sparse
INNER_MIB = 384

# How each is made, how mounted, and how mounted beside what it is a copy of.
KINDS = {
    "ext4": (["mkfs.ext4", "-q", "-F"], "loop", "loop"),
    "ext4 writeback": (["mkfs.ext4", "-q", "-F"],
                       "loop,data=writeback", "loop,data=writeback"),
    "xfs": (["mkfs.xfs", "-q", "-f"], "loop", "loop,nouuid"),
}


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True,
                          text=True, timeout=60)
    if done.returncode != 0:
        raise OSError(f"{command}: {done.stderr}")


@contextlib.contextmanager
def mounted(image, path, options):
    path.mkdir()
    run("mount", "-o", options, image, path)
    try:
        yield path
    finally:
        # A process that just died may hold it for a moment.
        process.wait_until(lambda: subprocess.run(
            ["umount", path], capture_output=True).returncode == 0,
            f"umount {path}", 10)
        path.rmdir()


class Disk:
    """A file system at .path, made in base."""

    def __init__(self, base, kind):
        self.base, self.kind = base, kind
        self.stack = contextlib.ExitStack()
        self.copies = 0

    def __enter__(self):
        make, options, self.copy_options = KINDS[self.kind]
        with contextlib.ExitStack() as stack:
            outer = self.base / "outer.img"
            run("truncate", "-s", f"{OUTER_MIB}M", outer)
            run("mkfs.xfs", "-q", "-f", "-m", "reflink=1", outer)
            self.outer = stack.enter_context(
                mounted(outer, self.base / "outer", "loop"))
            self.image = self.outer / "disk.img"
            run("truncate", "-s", f"{INNER_MIB}M", self.image)
            run(*make, self.image)
            self.path = stack.enter_context(
                mounted(self.image, self.base / "disk", options))
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def copy(self):
        """The disk as it is now: an image, to be seen by look()."""
        self.copies += 1
        path = self.outer / f"copy{self.copies}.img"
        with open(self.image, "rb") as whole, open(path, "wb") as out:
            fcntl.ioctl(out, FICLONE, whole.fileno())
        return path

    @contextlib.contextmanager
    def look(self, image):
        """What a machine that comes up with it finds: a path."""
        with mounted(image, self.base / image.stem, self.copy_options) as path:
            yield path
        image.unlink()


def why_not(base):
    """Why there can be none here; None: there can."""
    if not process.is_root():
        return "loop devices need root"
    try:
        with Disk(base, "ext4") as disk, disk.look(disk.copy()):
            return None
    except OSError as why:
        return f"no disk of which the power can be cut: {why}"
