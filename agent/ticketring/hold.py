"""The owner's fence: where root has put a file named `hold`, no run changes anything on this machine."""

from __future__ import annotations

import contextlib
import os
import re

from .directory import Directory, refuse_foreign
from .result import Failure

_FILE = "hold"
_REASON = re.compile(r"([ -~]{1,99})[ -~]*\n?")


def refuse_held(directory: Directory) -> None:
    """By the file of this ring or set, or of all in the directory above. Raises Failure held-on-machine; path-unsafe for what
    is no file of root's alone."""
    places = [directory]
    # Where that is not root's alone, another user could hold the machine.
    with contextlib.suppress(Failure):
        places.append(Directory(directory.path.rpartition("/")[0] or "/"))
    for place in places:
        path, found = f"{place.path}/{_FILE}", place.read(_FILE)
        if found is not None:
            refuse_foreign(path, os.stat(_FILE, dir_fd=place.fd, follow_symlinks=False))
            reason = _REASON.fullmatch(found.decode("ascii", "replace"))
            raise Failure("held-on-machine", f"{path}: {reason[1] if reason else 'without a reason in one line of ASCII'}")
