"""What this machine ran last; no secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from .result import note

if TYPE_CHECKING:
    from .directory import Directory
    from .keys import Ring

_STATE = re.compile(r"1 ([0-9a-f-]{36}) ([1-9][0-9]{0,11}) ([0-9a-f]{32}) ([0-9a-f]{32}) ([0-9a-f]{32})\n")


class State(NamedTuple):
    lineage: str
    generation: int
    names: tuple[str, ...]


def serialise(ring: Ring) -> bytes:
    """A file's bytes."""
    return f"1 {ring.lineage} {ring.generation} {' '.join(ring.names)}\n".encode("ascii")


def read_state(directory: Directory) -> State | None:
    data = directory.read("state")
    if data is None:
        return None
    match = _STATE.fullmatch(data.decode("ascii", "replace"))
    if match is None:
        note(f"ignoring an unreadable {directory.path}/state")
        return None
    return State(match[1], int(match[2]), (match[3], match[4], match[5]))


def compare(ring: Ring, state: State | None) -> str:
    """new, reset (another lineage, or this generation with other keys), older, newer or same."""
    if state is None:
        return "new"
    if state.lineage != ring.lineage:
        return "reset"
    if ring.generation != state.generation:
        return "older" if ring.generation < state.generation else "newer"
    return "same" if state.names == ring.names else "reset"
