"""Files of the machine: below directories that are root's alone, by their descriptors, never through a foreign link."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pwd
import stat
from typing import TYPE_CHECKING, NamedTuple

from .clock import Deadline
from .process import run
from .result import Failure, note, reason

if TYPE_CHECKING:
    from typing import BinaryIO, Generator, Sequence

LARGEST_FILE = 1_048_576
_MOST_LINKS = 40
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def _reading(fd: int, path: str) -> BinaryIO:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise Failure("path-unsafe", f"wanted a file at {path}, found something else")
    return os.fdopen(fd, "rb")


class Directory:
    """An open directory. Each one on the way to it was root's, and so it cannot be turned elsewhere."""

    def __init__(self, path: str, make: bool = False) -> None:
        """Raises Failure path-unsafe, or write-failed where it cannot be opened or made."""
        self.path = path
        try:
            self.fd = _walk(path, make)
        except OSError as error:
            raise Failure("write-failed", f"cannot open the directory {path}: {reason(error)}") from None

    def close(self) -> None:
        os.close(self.fd)

    def read(self, name: str) -> bytes | None:
        """The file's bytes, None where there is none. Raises Failure for what is no file of a sane size."""
        try:
            fd = os.open(name, os.O_RDONLY | _FILE, dir_fd=self.fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unsafe(name, f"to read a file, got: {reason(error)}") from None
        with _reading(fd, f"{self.path}/{name}") as file:
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise self._unsafe(name, f"at most {LARGEST_FILE} bytes, found more")
        return data

    def _unsafe(self, name: str, wanted: str) -> Failure:
        return Failure("path-unsafe", f"{self.path}/{name}: wanted {wanted}")

    def stat(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def _changing(self, name: str) -> Generator[None, None, None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Failure("disk-full", f"wanted room for {self.path}/{name}, found none") from None
            code = "path-unsafe" if error.errno == errno.EISDIR else "write-failed"
            raise Failure(code, f"cannot write {self.path}/{name}: {reason(error)}") from None

    def write_new(self, name: str, data: bytes, mode: int, uid: int = -1) -> None:
        """Makes the file, flushed, with owner and mode; what a killed run left under that name goes first."""
        self.remove(name)
        try:
            with self._changing(name):
                fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o600, dir_fd=self.fd)
                with os.fdopen(fd, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fchown(fd, uid, -1)
                    os.fchmod(fd, mode)
                    os.fsync(fd)
        except Failure:
            self.remove(name)
            raise

    def rename(self, name: str, other: str) -> None:
        with self._changing(other):
            os.rename(name, other, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def keep_as(self, name: str, other: str) -> bool:
        """Gives the file a second name; False where there is none."""
        self.remove(other)
        with self._changing(other), contextlib.suppress(FileNotFoundError):
            os.link(name, other, src_dir_fd=self.fd, dst_dir_fd=self.fd, follow_symlinks=False)
            return True
        return False

    def remove(self, name: str) -> None:
        with self._changing(name), contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)

    def flush(self) -> None:
        with self._changing(""):
            os.fsync(self.fd)

    def names(self) -> Sequence[str]:
        return sorted(os.listdir(self.fd))

    def file_system(self) -> str:
        """Its type. Source: proc(5), /proc/pid/mountinfo."""
        device = os.fstat(self.fd).st_dev
        wanted = f"{os.major(device)}:{os.minor(device)}"
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
            for line in mounts:
                fields, _, kind = line.partition(" - ")
                if fields.split(" ")[2] == wanted:
                    return kind.split(" ")[0]
        return "unknown"


def read_public(path: str) -> bytes:
    """A file that is the server's affair, such as a certificate; links may lead to it. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST_FILE:
            raise OSError(errno.EINVAL if found.st_size <= LARGEST_FILE else errno.EFBIG, path)
        return file.read(LARGEST_FILE)


def _walk(path: str, make: bool) -> int:
    """Opens the path step by step. A link is followed only where it is root's and stands in a directory that is."""
    steps, links = _steps(path), 0
    fd, trail = os.open("/", _DIRECTORY), list[str]()
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
                # A server that drops its privileges before it reads must get through.
                os.mkdir(step, 0o700, dir_fd=fd)
                os.chmod(step, 0o755, dir_fd=fd)
                found = os.stat(step, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                links += 1
                if links > _MOST_LINKS or found.st_uid not in (0, os.geteuid()):
                    raise Failure("path-unsafe", f"wanted no foreign link on the way to {path}, found {step}")
                target = os.readlink(step, dir_fd=fd)
                steps = _steps(target if target.startswith("/") else "/".join([*trail, target])) + steps
                step, trail = "/", []
            else:
                trail.append(step)
            child = os.open(step, _DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = child
    except BaseException:
        os.close(fd)
        raise


def _steps(path: str) -> list[str]:
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


@contextlib.contextmanager
def locked(directory: Directory, name: str, seconds: int, deadline: Deadline) -> Generator[int, None, None]:
    """Holds the lock; it lies on an open file, so it goes with this process. Raises Failure busy after `seconds`."""
    try:
        fd = os.open(name, os.O_RDWR | os.O_CREAT | _FILE, 0o600, dir_fd=directory.fd)
    except OSError as error:
        code = "path-unsafe" if error.errno in (errno.ELOOP, errno.EISDIR) else "write-failed"
        raise Failure(code, f"cannot open {directory.path}/{name} as a file: {reason(error)}") from None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Failure("path-unsafe", f"wanted a file at {directory.path}/{name}, found something else")
        patience = Deadline(seconds, deadline)
        while not _taken(fd):
            if patience.passed():
                raise Failure("busy", f"another run held {directory.path}/{name} for {seconds} seconds")
            patience.pause(0.05)
        yield fd
    finally:
        os.close(fd)


def _taken(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class File(NamedTuple):
    """A file that is to be: None as its bytes where it is to go."""

    directory: Directory
    name: str
    data: bytes | None
    aside: str = ""
    """Before the names of its temporary neighbours: a dot where the server reads all of a directory."""

    @property
    def path(self) -> str:
        return f"{self.directory.path}/{self.name}"

    def neighbour(self, suffix: str) -> str:
        return f"{self.aside}{self.name}.{suffix}"

    def in_place(self) -> bool:
        return self.directory.read(self.name) == self.data

    def forget(self, *suffixes: str) -> None:
        """Temporary neighbours, of this run or of one that was killed."""
        for suffix in suffixes:
            self.directory.remove(self.neighbour(suffix))


class Replacement:
    """Files that take their places together, and give them back until `keep`."""

    def __init__(self, files: Sequence[File], mode: int, uid: int) -> None:
        """All are made beside their places first, so that a full disk is noticed while nothing has changed."""
        self._files = files
        self._absent = set[str]()
        self.placed = False
        try:
            for file in files:
                if file.data is not None:
                    file.directory.write_new(file.neighbour("new"), file.data, mode, uid)
        except BaseException:
            self._forget("new")
            raise

    def place(self, deadline: Deadline) -> None:
        for file in self._files:
            if not file.directory.keep_as(file.name, file.neighbour("old")):
                self._absent.add(file.path)
                # A run that is killed from here on is found out by it.
                file.directory.write_new(file.neighbour("old"), b"", 0o600)
        self.placed = True
        for file in self._files:
            if file.data is None:
                file.directory.remove(file.name)
            else:
                file.directory.rename(file.neighbour("new"), file.name)
        self._flush()
        _label([file.path for file in self._files if file.data is not None], deadline)

    def undo(self) -> None:
        """The other way round, so that what names a file goes before the file."""
        if self.placed:
            for file in reversed(self._files):
                # One that the system refuses keeps no other from going back.
                try:
                    self.give_back(file)
                except Failure as failure:
                    note(f"{failure.code}: {failure.detail}")
            self._flush()
        self._forget("new", "old")

    def give_back(self, file: File) -> None:
        """What was in this file's place before."""
        if file.path in self._absent:
            file.directory.remove(file.name)
        else:
            file.directory.rename(file.neighbour("old"), file.name)

    def keep(self) -> None:
        self._forget("old")

    def _flush(self) -> None:
        for file in self._files:
            file.directory.flush()

    def _forget(self, *suffixes: str) -> None:
        for file in self._files:
            file.forget(*suffixes)


def _label(paths: Sequence[str], deadline: Deadline) -> None:
    """A renamed file keeps the label of the place where it was made; SELinux wants its own."""
    if not paths or not os.path.exists("/sys/fs/selinux/enforce"):
        return
    try:
        status, _ = run(["restorecon", *paths], Deadline(10, deadline))
    except Failure:
        status = None
    if status != 0:
        note(f"warning: no SELinux label for {' '.join(paths)}")


def uid_of(owner: str) -> int:
    try:
        return pwd.getpwnam(owner).pw_uid
    except KeyError:
        raise Failure("write-failed", f"wanted an owner of files that this machine knows, found {owner}") from None


def warn_of_swap() -> None:
    """Pages of a tmpfs can be swapped out. zram stays in memory; dm-crypt says so in its uuid."""
    with contextlib.suppress(OSError), open("/proc/swaps", encoding="ascii", errors="replace") as swaps:
        for line in list(swaps)[1:]:
            device = line.split()[0]
            if not device.startswith("/dev/zram") and not _is_encrypted(device):
                note(f"warning: {device} is swap that may not be encrypted; keys in a tmpfs can reach it")


def _is_encrypted(device: str) -> bool:
    with contextlib.suppress(OSError), open(f"/sys/block/{os.path.basename(device)}/dm/uuid", encoding="ascii") as uuid:
        return uuid.read(64).startswith("CRYPT-")
    return False
