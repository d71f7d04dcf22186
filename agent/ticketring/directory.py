"""Directories that are root's alone, and files in them: by their descriptors, never through a foreign link.

The installer runs from the source of this module, of `clock` and of `result`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from typing import TYPE_CHECKING

from .clock import Deadline
from .result import Failure, reason

if TYPE_CHECKING:
    from typing import Generator, Sequence

LARGEST_FILE = 1_048_576
MOST_LINKS = 40
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class ReadOnly(Failure):
    """The file system takes no change."""


class Directory:
    """An open directory. Each one on the way to it was root's, and so it cannot be turned elsewhere."""

    unsafe = "path-unsafe"
    """The code where something stands in it that is not what is wanted."""

    def __init__(self, path: str, make: bool = False) -> None:
        """Raises Failure path-unsafe, or write-failed where it cannot be opened or made."""
        self.path = path
        try:
            self.fd = walk(path, make)
        except OSError as error:
            kind = ReadOnly if error.errno == errno.EROFS else Failure
            code = "path-unsafe" if error.errno == errno.ENOTDIR else "write-failed"
            raise kind(code, f"cannot open the directory {path}: {reason(error)}") from None

    def close(self) -> None:
        os.close(self.fd)

    def open(self, name: str, flags: int) -> int:
        """The descriptor of a file. Raises FileNotFoundError, and Failure for what is no file."""
        with self.changing(name, FileNotFoundError):
            fd = os.open(name, flags | FILE, 0o600, dir_fd=self.fd)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise self.refusal(name, "found something else")
        return fd

    def read(self, name: str) -> bytes | None:
        """The file's bytes, None where there is none. Raises Failure for what is no file of a sane size."""
        try:
            fd = self.open(name, os.O_RDONLY)
        except FileNotFoundError:
            return None
        with os.fdopen(fd, "rb") as file:
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise self.refusal(name, f"of at most {LARGEST_FILE} bytes")
        return data

    def refusal(self, name: str, found: str) -> Failure:
        return Failure(self.unsafe, f"wanted a file at {self.path}/{name}, {found}")

    def stat(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def changing(self, name: str, *passing: type[OSError]) -> Generator[None, None, None]:
        try:
            yield
        except passing:
            raise
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Failure("disk-full", f"wanted room for {self.path}/{name}, found none") from None
            # ENXIO: a FIFO or a socket.
            if error.errno in (errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.ENOTDIR):
                raise self.refusal(name, reason(error)) from None
            raise Failure("write-failed", f"cannot open or write {self.path}/{name}: {reason(error)}") from None

    def write_new(self, name: str, data: bytes, mode: int, uid: int = -1) -> None:
        """Makes the file, flushed, with owner and mode; what a killed run left under that name goes first."""
        self.remove(name)
        try:
            with self.changing(name), os.fdopen(self.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
                file.write(data)
                file.flush()
                os.fchown(file.fileno(), uid, -1)
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
        except Failure:
            self.remove(name)
            raise

    def rename(self, name: str, other: str) -> None:
        with self.changing(other):
            os.rename(name, other, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def replace(self, name: str, data: bytes, mode: int) -> None:
        """Makes the file or takes the place of one that is there, at once."""
        self.write_new(f"{name}.new", data, mode)
        self.rename(f"{name}.new", name)

    def remove(self, name: str) -> None:
        with self.changing(name), contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)

    def flush(self) -> None:
        with self.changing(""):
            os.fsync(self.fd)

    def names(self) -> Sequence[str]:
        return sorted(os.listdir(self.fd))

    @contextlib.contextmanager
    def locked(self, name: str, seconds: int, deadline: Deadline) -> Generator[int, None, None]:
        """Holds the lock; it lies on an open file, so it goes with this process. Raises Failure busy after `seconds`."""
        fd = self.open(name, os.O_RDWR | os.O_CREAT)
        try:
            patience = Deadline(seconds, deadline)
            while not is_taken(fd):
                if patience.passed():
                    raise Failure("busy", f"another run held {self.path}/{name} for {seconds} seconds")
                patience.pause(0.05)
            yield fd
        finally:
            os.close(fd)


def is_taken(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def walk(path: str, make: bool) -> int:
    """Opens the path step by step. A link is followed only where it is root's and stands in a directory that is."""
    steps, links = steps_of(path), 0
    fd, trail = os.open("/", DIRECTORY), list[str]()
    try:
        while True:
            refuse_foreign("/" + "/".join(trail), os.fstat(fd), bool(steps))
            if not steps:
                return fd
            step = steps.pop(0)
            try:
                found = os.stat(step, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                if not make:
                    raise
                # The runs of a ring and of a set may both be the first on a machine.
                with contextlib.suppress(FileExistsError):
                    os.mkdir(step, 0o700, dir_fd=fd)
                    # A server that drops its privileges before it reads must get through.
                    os.chmod(step, 0o755, dir_fd=fd)
                found = os.stat(step, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                links += 1
                if links > MOST_LINKS or found.st_uid not in (0, os.geteuid()):
                    raise Failure("path-unsafe", f"wanted no foreign link on the way to {path}, found {step}")
                target = os.readlink(step, dir_fd=fd)
                steps = steps_of(target if target.startswith("/") else "/".join([*trail, target])) + steps
                step, trail = "/", []
            else:
                trail.append(step)
            child = os.open(step, DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = child
    except BaseException:
        os.close(fd)
        raise


def steps_of(path: str) -> list[str]:
    steps: list[str] = []
    for step in path.split("/"):
        if step == "..":
            del steps[-1:]
        elif step not in ("", "."):
            steps.append(step)
    return steps


def refuse_foreign(path: str, found: os.stat_result, on_the_way: bool = False) -> None:
    """As sshd does: in a directory that others may write they put their own files under our names."""
    own = found.st_uid in (0, os.geteuid())
    # With the sticky bit, none moves what is another's: it may stand on the way.
    if own and (found.st_mode & 0o022 == 0 or on_the_way and found.st_mode & stat.S_ISVTX):
        return
    why = "other users may write to it" if own else f"it belongs to user {found.st_uid}"
    raise Failure("path-unsafe", f"wanted {path} to be root's alone, but {why}: chown root, chmod go-w")
