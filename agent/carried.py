"""Brings the program that the document carries: installs it, and removes what is too old."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat

from library import LOCK_SECONDS, Library, Version, keep_settings, open_library, precompile
from ticketring.clock import Deadline
from ticketring.directory import DIRECTORY
from ticketring.result import Failure, note


def bring(program: str, carried: bytes, link: str, conf: str, settings: bytes) -> str:
    """The path of what to run: compiled by this Python, or as it came where there is no room for that."""
    library = open_library()
    with library.locked(".lock", LOCK_SECONDS, Deadline(LOCK_SECONDS)):
        version = Version(library, program)
        zipapp = version.zipapp()
        if zipapp is None:
            zipapp = packed(carried, program)
            version.write("ticketring.pyz", zipapp, 0o755)
        file = precompile(version, zipapp)
        # First the program: a newer one knows the settings of older ones, not the other way round.
        point(library, link, program)
        keep_settings(library, conf, program, settings)
        prune(library, program)
        version.hold()
    return f"{version.path}/{file}"


def packed(carried: bytes, program: str) -> bytes:
    """The zipapp of the sources that are not the installer's alone: the same bytes as synth and packages make of them."""
    import io
    import zipfile

    archive = io.BytesIO()
    parts = re.split("^#(.+)\n", carried.decode(), flags=re.M)
    with zipfile.ZipFile(archive, "w") as target:
        for name, source in sorted(zip(parts[1::2], parts[2::2])):
            if name not in (program, "install.py"):
                target.writestr(zipfile.ZipInfo(name), source)
    return b"#!/usr/bin/python3 -IS\n" + archive.getvalue()


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
