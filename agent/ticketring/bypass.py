"""The proof that no ticket opens a guarded listener: what shares ticket keys may share client authentication."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .handshake import Problem, silence
from .settings import parse_listener
from .tickets import present, take

if TYPE_CHECKING:
    from typing import Sequence

    from .servers.protocol import KeyServer
    from .settings import Listener

_TICKET = "open.ticket"


def find_bypass(server: KeyServer) -> Problem | None:
    """Tries a ticket of every open listener, without a client certificate, at every guarded one."""
    settings = server.machine.settings
    if settings.one_of("MIXED_CLIENT_AUTHENTICATION", ("refused", "checked")) == "refused":
        return None
    guarded = [parse_listener(text) for text in settings.get(f"{server.kind.upper()}_GUARDED").split()]
    known = {listener.text for listener in guarded}
    return try_pairs(server, [listener for listener in server.listeners if listener.text not in known], guarded)


def try_pairs(server: KeyServer, opened: Sequence[Listener], guarded: Sequence[Listener]) -> Problem | None:
    for listener in opened:
        for version in ("-tls1_2", "-tls1_3"):
            found = _find_from(server, listener, guarded, version)
            if found is not None:
                return found
    return None


def _find_from(server: KeyServer, listener: Listener, guarded: Sequence[Listener], version: str) -> Problem | None:
    machine = server.machine
    try:
        # Of a client without a certificate: one that was shown may open the guarded listener.
        if take(machine, listener._replace(client=None), _TICKET, version).ticket is None:
            return None
        for other in guarded:
            seen = present(machine, other, _TICKET, version)
            if not seen.spoke:
                return silence(seen, f"{other.text}: wanted the ticket of {listener.text} refused")
            if seen.reused:
                opened = f"a ticket of {listener.text} opens {other.text} without a client certificate"
                return Problem("auth-bypass", f"{opened} (TLS {version[4:].replace('_', '.')}): give them different rings")
        return None
    finally:
        machine.run_directory.remove(_TICKET)
