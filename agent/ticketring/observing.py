"""A ring that is looked at: fetched, checked and rendered into a shadow. No server is given it, no file of one is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bypass import find_bypass
from .result import Failure
from .servers.protocol import NotRunning

if TYPE_CHECKING:
    from typing import Callable, Sequence

    from .directory import Directory
    from .files import File
    from .handshake import Problem
    from .keys import Ring
    from .servers.protocol import KeyServer

# Before the names of files in the run's directory: what the server's own would hold.
_SHADOW = "observe."


def observe(
    server: KeyServer, ring: Ring, files: Sequence[File], look: Callable[[], Problem | None], mendable: Sequence[str]
) -> bool:
    """Whether the server runs this ring. Raises Failure where a run that loads it would fail before it does."""
    directory = server.machine.run_directory
    for file in files:
        directory.replace(f"{_SHADOW}{file.name}", file.data or b"", 0o400)
    try:
        holds, problem = server.holds(ring), look()
        if problem is not None and problem.code not in mendable:
            absence = server.absence(problem)
            raise NotRunning(absence) if absence else Failure(*problem)
    except NotRunning as absence:
        raise Failure("server-not-running", f"{absence}: nothing shows whether it would take the ring") from None
    bypass = find_bypass(server)
    if bypass is not None:
        raise Failure(*bypass)
    return holds and problem is None


def forget_shadow(directory: Directory) -> None:
    for name in directory.names():
        if name.startswith(_SHADOW):
            directory.remove(name)
