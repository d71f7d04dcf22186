"""Where programs are installed, each in a directory of its SHA-256, and how each comes to start sooner."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import sys

from ticketring.directory import DIRECTORY, LARGEST_FILE, Directory, ReadOnly, refuse_foreign
from ticketring.result import Failure

# Where programs are installed: the second where the first is on a read-only file system.
LIBRARIES = (os.environ.get("TICKETRING_LIB") or "/usr/local/lib/ticketring", "/run/ticketring/lib")
LOCK_SECONDS = 20


class Library(Directory):
    """Where programs are."""

    unsafe = "program-unsafe"

    def trusted(self, name: str) -> bytes | None:
        """None where there is none, or one that another user may have written."""
        found = self.stat(name)
        if found is not None and stat.S_ISREG(found.st_mode):
            if found.st_mode & 0o022 or found.st_uid not in (0, os.geteuid()) or found.st_size > LARGEST_FILE:
                return None
        return self.read(name)

    def write(self, name: str, data: bytes, mode: int) -> None:
        if self.trusted(name) != data:
            self.write_new(".new", data, mode)
            self.rename(".new", name)
            self.flush()


class Version(Library):
    """A program's directory, named by its SHA-256."""

    def __init__(self, library: Library, program: str) -> None:
        self.path = f"{library.path}/{program}"
        with library.changing(program):
            with contextlib.suppress(FileExistsError):
                os.mkdir(program, 0o755, dir_fd=library.fd)
            self.fd = os.open(program, DIRECTORY, dir_fd=library.fd)
        refuse_foreign(self.path, os.fstat(self.fd))
        self.program = program

    def zipapp(self) -> bytes | None:
        """None where there is none that its hash names."""
        found = self.trusted("ticketring.pyz")
        return found if found and hashlib.sha256(found).hexdigest() == self.program else None

    def hold(self) -> None:
        """Until this process ends, no other one removes this version."""
        fcntl.flock(self.fd, fcntl.LOCK_SH)


def open_library() -> Library:
    for path in LIBRARIES:
        if not path.startswith("/") or ".." in path.split("/"):
            raise Failure("config-invalid", f"wanted TICKETRING_LIB as an absolute path without .., found {path}")
        with contextlib.suppress(ReadOnly):
            library = Library(path, make=True)
            if os.access(path, os.W_OK):
                return library
    raise Failure("write-failed", f"wanted to write below {' or '.join(LIBRARIES)}, found both read-only")


def keep_settings(library: Library, conf: str, program: str, settings: bytes) -> None:
    """For boot, with the version that knows them: another ring's document may bring another one."""
    library.write(conf, f"# {program}\n".encode() + settings, 0o644)


def precompile(version: Version, zipapp: bytes) -> str:
    """The name of the program as this Python has compiled it: it starts in half the time."""
    name = f"ticketring.{sys.implementation.cache_tag}.pyz"
    found = version.trusted(name) or b""
    if hashlib.sha256(found[65:]).hexdigest().encode() + b"\n" == found[:65]:
        return name
    archive = compiled(zipapp)
    try:
        # A zip file may begin with other bytes.
        version.write(name, hashlib.sha256(archive).hexdigest().encode() + b"\n" + archive, 0o644)
    except Failure:
        return "ticketring.pyz"
    return name


def compiled(zipapp: bytes) -> bytes:
    import importlib.util
    import io
    import marshal
    import zipfile

    archive = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(zipapp)) as source, zipfile.ZipFile(archive, "w") as target:
        for name in source.namelist():
            code = compile(source.read(name), name, "exec", dont_inherit=True)
            # PEP 552: no flags, no time and no size, which are compared with the source's where there is one.
            target.writestr(zipfile.ZipInfo(name + "c"), importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(code))
    return archive.getvalue()
