"""The way back of a ring's machine: beside what it was brought, settings and program, stands what it was brought before."""

from __future__ import annotations

import os
import re

from carried import point
from library import LOCK_SECONDS, Library, open_library
from ticketring.clock import Deadline
from ticketring.result import note


def goes_back(conf: str, brought: bytes) -> bool:
    """True where what the machine has is to run, which is then no longer what this document brings."""
    library = open_library()
    with library.locked(".lock", LOCK_SECONDS, Deadline(LOCK_SECONDS)):
        kept, before = library.trusted(conf), f"{conf[:-5]}.before"
        if os.environ.get("SSM_Program") == "back":
            if kept == brought:
                roll_back(library, conf, library.trusted(before) or b"")
            return True
        if kept and kept != brought:
            library.write(before, kept, 0o644)
    return False


def roll_back(library: Library, conf: str, earlier: bytes) -> None:
    program = earlier[2:66].decode("ascii", "replace")
    if re.fullmatch("[0-9a-f]{64}", program) is None or program not in library.names():
        note("no way back: nothing is left of what was brought before")
    else:
        point(library, "current-ring", program)
        library.write(conf, earlier, 0o644)
