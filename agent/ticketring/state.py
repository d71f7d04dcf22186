"""What this machine ran last; no secret."""

from __future__ import annotations

import contextlib
import os
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from .result import note

if TYPE_CHECKING:
    from .directory import Directory
    from .keys import Ring

_FILE = "state"
_NAME = "([0-9a-f]{32})"
_MARKS = "( pulled)?( after-local)?(?: drifted=([0-9]{1,9}))?"
_STATE = re.compile(rf"1 ([0-9a-f-]{{36}}) ([1-9][0-9]{{0,11}}) {_NAME} {_NAME} {_NAME}{_MARKS}\n")


class State(NamedTuple):
    lineage: str
    generation: int
    names: tuple[str, ...]
    pulled: bool = False
    """Whether a pull put it in place, of which no command has told."""
    after_local: bool = False
    """Whether it took the place of a ring of the machine's own."""
    drifted: int = 0
    """How often it was found changed and was put right, of which no command has told."""


def serialise(state: State) -> bytes:
    """A file's bytes."""
    marks = " pulled" * state.pulled + " after-local" * state.after_local
    if state.drifted:
        marks += f" drifted={state.drifted}"
    return f"1 {state.lineage} {state.generation} {' '.join(state.names)}{marks}\n".encode("ascii")


def read_state(directory: Directory) -> State | None:
    data = directory.read(_FILE)
    if data is None:
        return None
    match = _STATE.fullmatch(data.decode("ascii", "replace"))
    if match is None:
        note(f"ignoring an unreadable {directory.path}/state")
        return None
    names, drifted = (match[3], match[4], match[5]), int(match[8] or 0)
    return State(match[1], int(match[2]), names, match[6] is not None, match[7] is not None, drifted)


def forget_drift(directory: Directory, state: State) -> None:
    """A command has told of it."""
    directory.replace(_FILE, serialise(state._replace(drifted=0)), 0o600)


def drift_before(state: State | None, relation: str) -> int:
    """Of the ring that this one is, or follows."""
    return state.drifted if state is not None and relation in ("same", "newer") else 0


def note_contact(directory: Directory) -> None:
    """The file's time is that of the last answer of Secrets Manager."""
    with contextlib.suppress(OSError):
        os.utime(_FILE, dir_fd=directory.fd, follow_symlinks=False)


def since_contact(directory: Directory) -> float:
    """Seconds; none where nothing is known of one."""
    found = directory.stat(_FILE)
    return 0.0 if found is None else time.time() - found.st_mtime


def compare(ring: Ring, state: State | None) -> str:
    """new, reset (another lineage, or this generation with other keys), older, newer or same."""
    if state is None:
        return "new"
    if state.lineage != ring.lineage:
        return "reset"
    if ring.generation != state.generation:
        return "older" if ring.generation < state.generation else "newer"
    return "same" if state.names == ring.names else "reset"
