"""A generation whose load failed, in the file `refused`: it is not loaded again and again for the same cause."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .clock import Deadline
from .handshake import shake
from .result import Failure

if TYPE_CHECKING:
    from .keys import Ring
    from .servers.protocol import KeyServer
    from .settings import Listener

_FILE = "refused"
_HOUR = 3600


def remember(server: KeyServer, ring: Ring, failure: Failure) -> None:
    _write(server, _memory(server, ring, failure.code, failure.detail))


def refuse_repeat(server: KeyServer, ring: Ring, has_problem: bool) -> None:
    """Within the hour, the same files would fail for the same cause; other handshakes tell that it has changed."""
    directory = server.machine.run_directory
    told = (directory.read(_FILE) or b"").decode("ascii", "replace").split("\n")
    directory.remove(_FILE)
    if not has_problem or len(told) != 6 or not told[0].isdigit():
        return
    code, detail = told[4:]
    if told[1:] == _memory(server, ring, code, detail)[1:] and 0 <= time.time() - int(told[0]) < _HOUR:
        _write(server, told)
        failure = Failure(code, detail)
        failure.add(f"nothing has changed: not loaded again within the hour, or until {directory.path}/{_FILE} is gone")
        raise failure


def _memory(server: KeyServer, ring: Ring, code: str, detail: str) -> list[str]:
    """With what the listeners show without it."""
    shown = [f"{listener.text} {_key_name_at(listener)}" for listener in server.listeners]
    return [str(int(time.time())), ring.lineage, " ".join(ring.names), ",".join(shown), code, detail]


def _key_name_at(listener: Listener) -> str:
    ticket = shake(listener, Deadline(5)).ticket
    return "none" if ticket is None else ticket.key_name


def _write(server: KeyServer, lines: list[str]) -> None:
    server.machine.run_directory.write_new(_FILE, "\n".join(lines).encode("ascii", "replace"), 0o600)
