"""Installs the program that a document carries, and runs it. It travels packed with the program, and nothing of it stays.

Nothing is trusted that another user may write: directories are opened step by step, files are made exclusively and take
their places by renaming, and what is found is what its hash says or is made anew. Whatever fails is a result line.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import os
import re
import signal
import stat
import sys
import time
from typing import TYPE_CHECKING

from ticketring.clock import Deadline
from ticketring.directory import DIRECTORY, LARGEST_FILE, Directory, ReadOnly, refuse_foreign
from ticketring.result import Failure, note

if TYPE_CHECKING:
    from typing import NoReturn

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


def main(head: str, command: str, name: str, settings: str, carried: bytes) -> None:
    """`head` begins a failure's result line; `carried` is the zipapp's SHA-256 and, where a package has it not, its text."""
    started = time.monotonic()
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, interrupt)
        os.umask(0o022)
        conf = f"{name}.conf" if command == "ring" else f"{name}.staples.conf"
        program, text = carried[:64].decode(), carried[64:]
        if os.environ.get("SSM_Program") == "keep":
            keep(command, name, conf)
        bring = functools.partial(install, text, f"current-{command}") if text else find_installed
        path = bring(program, conf, settings.encode())
        started = time.monotonic()
        run(path, [command, name], settings, program[:12])
    except Failure as trouble:
        failure = trouble
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        failure = Failure("disk-full" if full else "write-failed", f"cannot install the program: {error}")
    except Exception as error:
        failure = Failure("internal-error", f"{type(error).__name__} where the program begins")
    note(f"{failure.code}: {failure.detail}")
    ms = round((time.monotonic() - started) * 1000)
    os.write(1, f'{head},"ms":{ms},"error":"{failure.code}","detail":"{failure.detail}"}}\n'.encode())
    sys.exit(1)


def interrupt(number: int, _: object) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise Failure("interrupted", f"stopped while installing by signal {number}")


def keep(command: str, name: str, conf: str) -> None:
    """State Manager's run repairs by what a command brought last. Returns where nothing sound is left of that."""
    library = open_library()
    # Else another run could bring the first program meanwhile, or remove the one that is found.
    with library.locked(".lock", LOCK_SECONDS, Deadline(LOCK_SECONDS)):
        kept = (library.trusted(conf) or b"").decode("ascii", "replace")
        program = kept[2:66]
        if re.fullmatch("[0-9a-f]{64}", program) is None or program not in library.names():
            return
        version = Version(library, program)
        zipapp = version.zipapp()
        if zipapp is None:
            return
        version.hold()
        file = precompile(version, zipapp)
    run(f"{version.path}/{file}", [command, name], kept[67:], program[:12])


def install(text: bytes, link: str, program: str, conf: str, settings: bytes) -> str:
    """The path of what to run: compiled by this Python, or as it came where there is no room for that."""
    library = open_library()
    with library.locked(".lock", LOCK_SECONDS, Deadline(LOCK_SECONDS)):
        version = Version(library, program)
        zipapp = version.zipapp()
        if zipapp is None:
            zipapp = packed(text)
            version.write("ticketring.pyz", zipapp, 0o755)
        file = precompile(version, zipapp)
        # First the program: a newer one knows the settings of older ones, not the other way round.
        point(library, link, program)
        keep_settings(library, conf, program, settings)
        prune(library, program)
        version.hold()
    return f"{version.path}/{file}"


def open_library() -> Library:
    for path in LIBRARIES:
        if not path.startswith("/") or ".." in path.split("/"):
            raise Failure("config-invalid", f"wanted TICKETRING_LIB as an absolute path without .., found {path}")
        with contextlib.suppress(ReadOnly):
            library = Library(path, make=True)
            if os.access(path, os.W_OK):
                return library
    raise Failure("write-failed", f"wanted to write below {' or '.join(LIBRARIES)}, found both read-only")


def find_installed(program: str, conf: str, settings: bytes) -> str:
    """The path of what a package has installed, which is left as it is. Where it can be, what boot needs is kept beside it."""
    path = LIBRARIES[0]
    missing = Failure("program-missing", f"wanted the program {program} of a package below {path}, found none of that SHA-256")
    if not os.path.isdir(f"{path}/{program}"):
        raise missing
    library = Library(path)
    version = Version(library, program)
    zipapp = version.zipapp()
    if zipapp is None:
        raise missing
    version.hold()
    if not os.access(path, os.W_OK):
        return f"{version.path}/ticketring.pyz"
    with library.locked(".lock", LOCK_SECONDS, Deadline(LOCK_SECONDS)):
        keep_settings(library, conf, program, settings)
        return f"{version.path}/{precompile(version, zipapp)}"


def keep_settings(library: Library, conf: str, program: str, settings: bytes) -> None:
    """For boot, with the version that knows them: another ring's document may bring another one."""
    library.write(conf, f"# {program}\n".encode() + settings, 0o644)


def run(path: str, words: list[str], settings: str, version: str) -> NoReturn:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(TICKETRING_SETTINGS=settings, TICKETRING_SCRIPT=version)
    sys.argv = [path, *words]
    sys.path.insert(0, path)
    from ticketring.__main__ import main

    sys.exit(main())


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


def packed(text: bytes) -> bytes:
    """The zipapp of these sources, each after a line of # and its name: the same bytes as synth and packages make of them."""
    import io
    import zipfile

    archive = io.BytesIO()
    parts = re.split(rb"^#(.+)\n", text, flags=re.M)
    with zipfile.ZipFile(archive, "w") as target:
        for name, source in zip(parts[1::2], parts[2::2]):
            target.writestr(zipfile.ZipInfo(name.decode()), source)
    return b"#!/usr/bin/python3 -IS\n" + archive.getvalue()


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


def point(library: Library, link: str, program: str) -> None:
    """Moves the link to this version, which becomes the youngest."""
    found = library.stat(link)
    if found is not None and not stat.S_ISLNK(found.st_mode):
        raise Failure("program-unsafe", f"wanted a link named {link} among the programs, found something else")
    if found is not None and os.readlink(link, dir_fd=library.fd) == program:
        return
    library.remove(".new")
    with library.changing(link):
        os.symlink(program, ".new", dir_fd=library.fd)
        library.rename(".new", link)
        library.flush()
        os.utime(program, dir_fd=library.fd, follow_symlinks=False)


def prune(library: Library, program: str) -> None:
    """Of the other versions, keeps those that settings name, the one that was current last, and those that still run."""
    names, kept = library.names(), {program}
    for name in names:
        if name.endswith(".conf"):
            with contextlib.suppress(Failure):
                kept.add((library.trusted(name) or b"")[2:66].decode("ascii", "replace"))
    others = [name for name in names if len(name) == 64 and "." not in name and name not in kept]
    others.sort(key=lambda name: os.stat(name, dir_fd=library.fd, follow_symlinks=False).st_mtime_ns)
    for name in others[:-1]:
        try:
            remove_version(library, name)
        except OSError as error:
            note(f"an old program stays: {name}: {error}")


def remove_version(library: Library, name: str) -> None:
    """File by file, each of a name of ours: anything else keeps the directory."""
    fd = os.open(name, DIRECTORY, dir_fd=library.fd)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for file in os.listdir(fd):
            if file == ".new" or file.startswith("ticketring.") and file.endswith(".pyz"):
                os.unlink(file, dir_fd=fd)
        os.rmdir(name, dir_fd=library.fd)
    finally:
        os.close(fd)
