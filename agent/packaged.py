"""Brings the program of a package, where the document names it alone."""

from __future__ import annotations

import os

from library import LIBRARIES, LOCK_SECONDS, Library, Version, keep_settings, precompile
from ticketring.clock import Deadline
from ticketring.result import Failure


def bring(program: str, _carried: bytes, _link: str, conf: str, settings: bytes) -> str:
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


def goes_back(_conf: str, _brought: bytes) -> bool:
    """The way back of a package's program is its package manager's: the machine runs what it has."""
    return os.environ.get("SSM_Program") == "back"
