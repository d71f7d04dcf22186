"""A ticket that this machine takes from one handshake, to show it in another. It lies in the run's directory between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .handshake import shake

if TYPE_CHECKING:
    from .handshake import Handshake
    from .servers.protocol import Machine
    from .settings import Listener


def take(machine: Machine, listener: Listener, name: str, *options: str) -> Handshake:
    directory = machine.run_directory
    directory.remove(name)
    return shake(listener, machine.deadline, ("-sess_out", f"{directory.path}/{name}", *options))


def present(machine: Machine, listener: Listener, name: str, *options: str) -> Handshake:
    """Without a client certificate: what the ticket alone opens."""
    words = ("-sess_in", f"{machine.run_directory.path}/{name}", *options)
    return shake(listener, machine.deadline, words, with_client=False)
