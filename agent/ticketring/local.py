"""A ring of the machine's own: where Secrets Manager gives none, its server starts and resumes its own sessions alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .keys import Ring, TicketKey

if TYPE_CHECKING:
    from typing import Sequence

    from .files import File
    from .state import State

# Forward secrecy goes before resumption: keys that Secrets Manager has not confirmed for so long are replaced.
OLDEST = 7 * 86_400
# The nil UUID, which no ring of Secrets Manager has. Source: RFC 9562, section 5.9.
_LINEAGE = "00000000-0000-0000-0000-000000000000"


def make_ring() -> Ring:
    """Its keys are nowhere but in this machine's key files and its server."""
    previous, current, following = (TicketKey(os.urandom(16), os.urandom(32), os.urandom(32)) for _ in range(3))
    return Ring(_LINEAGE, 1, previous, current, following)


def is_local(state: State | None) -> bool:
    return state is not None and state.lineage == _LINEAGE


def are_usable(files: Sequence[File], owner: int) -> bool:
    """Whether the server can start with what is in the places of these files: of their size, not empty, its owner's."""
    return all(_is_usable(file, owner) for file in files)


def _is_usable(file: File, owner: int) -> bool:
    found, data = file.directory.stat(file.name), file.directory.read(file.name)
    return found is not None and data is not None and found.st_uid == owner and len(data) == len(file.data or b"") and any(data)
