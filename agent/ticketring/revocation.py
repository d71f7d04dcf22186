"""The proof of a revocation: a ticket under a key that leaves the ring is taken before the load, to be refused after it."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from .handshake import Problem
from .result import Failure, note
from .tickets import present, take

if TYPE_CHECKING:
    from typing import Container, Sequence

    from .directory import Directory
    from .keys import Ring
    from .servers.protocol import KeyServer
    from .settings import Listener

_OLD_TICKET = re.compile(r"ticket\.(.+)\.([0-9a-f]{32})")


def take_old_tickets(server: KeyServer, strangers: Sequence[Listener]) -> None:
    """Of listeners that encrypt with a key which the new ring does not have."""
    directory = server.machine.run_directory
    for listener in strangers:
        name = f"ticket.{_file_name(listener)}"
        seen = take(server.machine, listener, f"{name}.new")
        if seen.ticket is None or not directory.read(f"{name}.new"):
            raise Failure("verify-unreachable", f"{listener.text}: wanted a ticket to try again later, got none")
        directory.rename(f"{name}.new", f"{name}.{seen.ticket.key_name}")
        note(f"keeping a ticket under {seen.ticket.key_name} of {listener.text}, which the new ring must refuse")


def forget_tickets(directory: Directory, but: Container[str]) -> None:
    for name in directory.names():
        if name.startswith("ticket.") and name not in but:
            directory.remove(name)


def try_old_tickets(server: KeyServer, ring: Ring) -> None:
    """A ticket stays until it was refused, so that a later run tries it again."""
    directory = server.machine.run_directory
    listeners = {_file_name(listener): listener for listener in server.listeners}
    for name in directory.names():
        match = _OLD_TICKET.fullmatch(name)
        if match is None or directory.read(name) is None:
            continue
        listener, key_name = listeners.get(match[1]), match[2]
        if listener is None:
            note(f"forgetting a ticket under {key_name} of {match[1]}, which is no listener of the settings any more")
        elif key_name not in ring.names:
            server.look_until(functools.partial(_try, server, listener, key_name, name), 1)
        directory.remove(name)


def _try(server: KeyServer, listener: Listener, key_name: str, name: str) -> Problem | None:
    """Going back would bring revoked keys back: the new ring stays, and the next run tries the ticket again."""
    seen = present(server.machine, listener, name)
    if seen.finished and not seen.reused or seen.asked:
        return None
    wanted = f"{listener.text}: wanted the ticket under {key_name} refused"
    if seen.reused:
        return Problem("old-ticket-accepted", f"{wanted}, got it accepted")
    return Problem("verify-unreachable", f"{wanted}, got no answer")


def _file_name(listener: Listener) -> str:
    return listener.text.replace("/", ",")
