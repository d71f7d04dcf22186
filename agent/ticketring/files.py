"""Files that take their places together."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import stat
from typing import TYPE_CHECKING, NamedTuple

from .clock import Deadline
from .directory import LARGEST_FILE
from .process import run
from .result import Failure, note

if TYPE_CHECKING:
    from typing import Sequence

    from .directory import Directory


def read_public(path: str, most: int = LARGEST_FILE) -> bytes:
    """A file that is the server's affair, such as a certificate; links may lead to it. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            raise OSError(errno.EINVAL if found.st_size <= most else errno.EFBIG, path)
        # Not all that it may be: as much memory would be set aside.
        return file.read(found.st_size)


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

    def keep_old(self) -> bool:
        """Gives the file a second name; False where there is none."""
        self.forget("old")
        fd = self.directory.fd
        with self.directory.changing(self.neighbour("old")), contextlib.suppress(FileNotFoundError):
            os.link(self.name, self.neighbour("old"), src_dir_fd=fd, dst_dir_fd=fd, follow_symlinks=False)
            return True
        return False

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
            if not file.keep_old():
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
