"""A generation whose load failed, in the file `refused`: it is not loaded again and again for the same cause."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .result import Failure

if TYPE_CHECKING:
    from typing import Mapping

    from .keys import Ring
    from .servers.protocol import KeyServer

_FILE = "refused"
_HOUR = 3600


def remember(server: KeyServer, ring: Ring, shown: Mapping[str, str], failure: Failure) -> None:
    _write(server, _memory(ring, shown, failure.code, failure.detail))


def refuse_repeat(server: KeyServer, ring: Ring, shown: Mapping[str, str], has_problem: bool) -> None:
    """Within the hour, the same files would fail for the same cause; other handshakes tell that it has changed."""
    directory = server.machine.run_directory
    told = (directory.read(_FILE) or b"").decode("ascii", "replace").split("\n")
    directory.remove(_FILE)
    if not has_problem or len(told) != 6 or not told[0].isdigit():
        return
    code, detail = told[4:]
    if told[1:] == _memory(ring, shown, code, detail)[1:] and 0 <= time.time() - int(told[0]) < _HOUR:
        _write(server, told)
        failure = Failure(code, detail)
        failure.add(f"nothing has changed: not loaded again within the hour, or until {directory.path}/{_FILE} is gone")
        raise failure


def _memory(ring: Ring, shown: Mapping[str, str], code: str, detail: str) -> list[str]:
    """With what the listeners showed before it."""
    seen = ",".join(f"{listener} {name}" for listener, name in shown.items())
    return [str(int(time.time())), ring.lineage, " ".join(ring.names), seen, code, detail]


def _write(server: KeyServer, lines: list[str]) -> None:
    server.machine.run_directory.write_new(_FILE, "\n".join(lines).encode("ascii", "replace"), 0o600)
