"""The owner's own check of the server that was loaded: a command of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .process import command
from .result import Failure

if TYPE_CHECKING:
    from .servers.protocol import KeyServer


def find_unhealthy(server: KeyServer) -> Failure | None:
    machine = server.machine
    words = machine.settings.words(f"{server.kind.upper()}_HEALTH_CHECK", "")
    try:
        if words:
            command(words, "health-check-failed", machine.deadline)
    except Failure as failure:
        return failure
    return None
