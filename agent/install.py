"""Installs the program that a document carries, and runs it. It travels packed with the program, and nothing of it stays.

Nothing is trusted that another user may write: directories are opened step by step, files are made exclusively and take
their places by renaming, and what is found is what its hash says or is made anew. Whatever fails is a result line.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import signal
import stat
import sys
import time

# Where programs are installed: the second where the first is on a read-only file system.
LIBRARIES = (os.environ.get("TICKETRING_LIB") or "/usr/local/lib/ticketring", "/run/ticketring/lib")
LOCK_SECONDS = 20
LARGEST_FILE = 4_194_304
MOST_LINKS = 40
NO_LINK = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | NO_LINK


class Failure(Exception):
    """Ends the run: a code of docs/errors.md, and what was wanted and what came."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def main(head: str, command: str, name: str, settings: str, carried: bytes) -> None:
    """`head` begins the result line of a failure; `carried` is the zipapp, or the hash of one that a package has installed."""
    started = time.monotonic()
    failure = None
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, interrupt)
        conf = f"{name}.conf" if command == "ring" else f"{name}.staples.conf"
        if len(carried) == 64:
            program = carried.decode()
            path = find_installed(program, conf, settings.encode())
        else:
            program = hashlib.sha256(carried).hexdigest()
            path = install(program, carried, conf, settings.encode())
        started = time.monotonic()
        run(path, [command, name], settings, program[:12])
    except Failure as trouble:
        failure = trouble
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        failure = Failure("disk-full" if full else "write-failed", f"cannot install the program: {error}")
    except Exception as error:
        failure = Failure("internal-error", f"{type(error).__name__} where the program begins")
    if failure is not None:
        report(head, round((time.monotonic() - started) * 1000), failure)


def interrupt(number: int, _: object) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise Failure("interrupted", f"stopped while installing by signal {number}")


def install(program: str, zipapp: bytes, conf: str, settings: bytes) -> str:
    """The path of what to run: compiled by this Python, or as it came where there is no room for that."""
    os.umask(0o022)
    path, library, lock = open_library()
    version = open_version(library, program)
    if read(version, "ticketring.pyz") != zipapp:
        write(version, "ticketring.pyz", zipapp, 0o755)
    file = precompile(version, zipapp)
    # First the program: a newer one knows the settings of older ones, not the other way round.
    point(library, program)
    keep_settings(library, conf, program, settings)
    prune(library, program)
    # Until this process ends, no other one removes this version.
    fcntl.flock(version, fcntl.LOCK_SH)
    os.close(lock)
    return os.path.join(path, program, file)


def find_installed(program: str, conf: str, settings: bytes) -> str:
    """The path of what a package has installed, which is left as it is. Where it can be, what boot needs is kept beside it."""
    os.umask(0o022)
    path = LIBRARIES[0]
    if not os.path.isdir(os.path.join(path, program)):
        raise missing(program, path)
    library = open_directory(path)
    version = open_version(library, program)
    zipapp = read(version, "ticketring.pyz")
    if zipapp is None or hashlib.sha256(zipapp).hexdigest() != program:
        raise missing(program, path)
    fcntl.flock(version, fcntl.LOCK_SH)
    try:
        lock = lock_in(library)
        keep_settings(library, conf, program, settings)
        os.close(lock)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return os.path.join(path, program, "ticketring.pyz")
    return os.path.join(path, program, precompile(version, zipapp))


def keep_settings(library: int, conf: str, program: str, settings: bytes) -> None:
    """For boot, with the version that knows them: another ring's document may bring another one."""
    text = f"# {program}\n".encode() + settings
    if read(library, conf) != text:
        write(library, conf, text, 0o644)


def missing(program: str, path: str) -> Failure:
    return Failure(
        "program-missing", f"wanted the program {program} of a package below {path}, found none that matches its hash"
    )


def run(path: str, words: list[str], settings: str, version: str) -> None:
    import runpy

    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(TICKETRING_SETTINGS=settings, TICKETRING_SCRIPT=version)
    sys.argv = [path] + words
    runpy.run_path(path, run_name="__main__")


def open_library() -> tuple[str, int, int]:
    """Path, directory and lock of the place for programs."""
    for path in LIBRARIES:
        try:
            directory = open_directory(path)
            return path, directory, lock_in(directory)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
    raise Failure("write-failed", f"wanted to write below {' or '.join(LIBRARIES)}, found both read-only")


def open_directory(path: str) -> int:
    """Made where it is missing. As sshd does, refuses each step that another user may write; follows root's links alone."""
    steps, here, links = path.split("/"), "/", 0
    if steps[0] != "" or ".." in steps:
        raise Failure("config-invalid", f"wanted TICKETRING_LIB as an absolute path without .., found {path}")
    fd = os.open("/", DIRECTORY)
    while True:
        refuse_foreign(here, os.fstat(fd), len(steps) > 0)
        if not steps:
            return fd
        step = steps.pop(0)
        if step == "":
            continue
        if not exists(step, fd):
            os.mkdir(step, 0o755, dir_fd=fd)
        target = link_at(step, fd, here)
        if target is not None:
            links += 1
            if links > MOST_LINKS:
                raise Failure("path-unsafe", f"wanted at most {MOST_LINKS} links on the way to {path}")
            steps, here = os.path.normpath(os.path.join(here, target)).split("/") + steps, "/"
            step = "/"
        child = open_step(step, fd, os.path.join(here, step))
        os.close(fd)
        fd, here = child, os.path.join(here, step)


def refuse_foreign(path: str, found: os.stat_result, on_the_way: bool) -> None:
    # In a sticky directory no user moves what is another's.
    may_write = found.st_mode & 0o022 and not (on_the_way and found.st_mode & stat.S_ISVTX)
    if may_write or found.st_uid not in (0, os.geteuid()):
        raise Failure("path-unsafe", f"wanted {path} to be root's alone: chown root and chmod go-w it")


def exists(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def link_at(name: str, directory: int, here: str) -> str | None:
    found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        return None
    if found.st_uid not in (0, os.geteuid()):
        raise Failure("path-unsafe", f"wanted no link of another user at {os.path.join(here, name)}")
    return os.readlink(name, dir_fd=directory)


def open_step(name: str, directory: int, path: str) -> int:
    try:
        return os.open(name, DIRECTORY, dir_fd=directory)
    except OSError as error:
        raise Failure("path-unsafe", f"wanted a directory at {path}: {os.strerror(error.errno or 0)}") from None


def lock_in(directory: int) -> int:
    """Two documents do not install at once."""
    fd = open_file(directory, ".lock", os.O_RDWR | os.O_CREAT)
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Failure("busy", f"another document was being installed for {LOCK_SECONDS} s") from None
            time.sleep(0.05)


def open_version(library: int, program: str) -> int:
    if not exists(program, library):
        os.mkdir(program, 0o755, dir_fd=library)
    try:
        fd = os.open(program, DIRECTORY, dir_fd=library)
    except OSError:
        raise Failure("program-unsafe", f"wanted a directory named {program}, found something else") from None
    refuse_foreign(program, os.fstat(fd), False)
    return fd


def open_file(directory: int, name: str, flags: int) -> int:
    """Raises FileNotFoundError, and Failure where something stands that is no file."""
    try:
        fd = os.open(name, flags | NO_LINK, 0o600, dir_fd=directory)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise
    else:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return fd
        os.close(fd)
    raise Failure("program-unsafe", f"wanted a file named {name} among the programs, found something else")


def read(directory: int, name: str) -> bytes | None:
    """None where there is none, or one that another user may have written."""
    try:
        fd = open_file(directory, name, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if found.st_mode & 0o022 or found.st_uid not in (0, os.geteuid()):
            return None
        return file.read(LARGEST_FILE)


def write(directory: int, name: str, data: bytes, mode: int) -> None:
    drop(directory, ".new")
    fd = os.open(".new", os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK, 0o600, dir_fd=directory)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(fd, mode)
            os.fsync(fd)
        place(directory, name)
    except OSError:
        drop(directory, ".new")
        raise


def place(directory: int, name: str) -> None:
    os.rename(".new", name, src_dir_fd=directory, dst_dir_fd=directory)
    os.fsync(directory)


def drop(directory: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        pass


def precompile(version: int, zipapp: bytes) -> str:
    """The name of the program as this Python has compiled it: it starts in half the time."""
    name = f"ticketring.{sys.implementation.cache_tag}.pyz"
    found = read(version, name) or b""
    if hashlib.sha256(found[65:]).hexdigest().encode() + b"\n" == found[:65]:
        return name
    archive = compiled(zipapp)
    try:
        # A zip file may begin with other bytes.
        write(version, name, hashlib.sha256(archive).hexdigest().encode() + b"\n" + archive, 0o644)
    except OSError:
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


def point(library: int, program: str) -> None:
    """Moves `current` to this version, which becomes the youngest."""
    try:
        if os.readlink("current", dir_fd=library) == program:
            return
    except FileNotFoundError:
        pass
    except OSError:
        raise Failure("program-unsafe", "wanted a link named current among the programs, found something else") from None
    drop(library, ".new")
    os.symlink(program, ".new", dir_fd=library)
    place(library, "current")
    os.utime(program, dir_fd=library, follow_symlinks=False)


def prune(library: int, program: str) -> None:
    """Of the other versions, keeps the one that was current last, and those that still run."""
    others = [name for name in os.listdir(library) if len(name) == 64 and "." not in name and name != program]
    others.sort(key=lambda name: os.stat(name, dir_fd=library, follow_symlinks=False).st_mtime_ns)
    for name in others[:-1]:
        try:
            remove_version(library, name)
        except OSError as error:
            note(f"an old program stays: {name}: {error}")


def remove_version(library: int, name: str) -> None:
    """File by file, each of a name of ours: anything else keeps the directory."""
    fd = os.open(name, DIRECTORY, dir_fd=library)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for file in os.listdir(fd):
            if file == ".new" or file.startswith("ticketring.") and file.endswith(".pyz"):
                os.unlink(file, dir_fd=fd)
        os.rmdir(name, dir_fd=library)
    finally:
        os.close(fd)


def report(head: str, ms: int, failure: Failure) -> None:
    detail = "".join(each if " " <= each <= "~" else " " for each in failure.detail.translate({34: 39, 92: 47}))[:300]
    note(f"{failure.code}: {detail}")
    os.write(1, f'{head},"ms":{ms},"error":"{failure.code}","detail":"{detail}"}}\n'.encode())
    sys.exit(1)


def note(text: str) -> None:
    try:
        os.write(2, f"ticketring: {text}\n".encode())
    except OSError:
        pass
