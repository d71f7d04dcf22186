"""Apache Traffic Server: one file of 48 bytes a key, of which the first encrypts; a reload, by its own tool, loads them.

Source: records.config, `proxy.config.ssl.server.ticket_key.filename`; iocore/net/SSLConfig.cc and SSLCertLookup.cc of 9.2.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from ..handshake import Problem
from ..process import command
from .key_file import KeyFile

if TYPE_CHECKING:
    from typing import ClassVar

    from ..keys import Ring, TicketKey
    from ..settings import Settings
    from .protocol import Machine


class TrafficserverKeys(KeyFile):
    """It says nothing of its keys, and its manager takes seconds to pass a reload on: what it encrypts with tells."""

    kind: ClassVar[str] = "trafficserver"
    needs: ClassVar[str] = "TRAFFICSERVER_KEYS"
    help: ClassVar[str] = """\
  TRAFFICSERVER_KEYS  file
  TRAFFICSERVER_RELOAD
                      words, no shell: traffic_ctl config reload
  TRAFFICSERVER_GUARDED
                      guarded listeners
"""
    polls: ClassVar[int] = 10

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._reload = machine.settings.words("TRAFFICSERVER_RELOAD", "traffic_ctl config reload")

    @classmethod
    def program(cls, settings: Settings) -> str:
        return "traffic_server"

    def content(self, ring: Ring) -> bytes:
        return b"".join(_laid_out(key) for key in (ring.current, ring.next, ring.previous))

    def load(self, ring: Ring) -> None:
        self.restore()

    def restore(self) -> None:
        """It reads a file whose time is later than the second of its last load, and its manager one whose time is another."""
        self.reloaded = True
        name, directory = self._name, self._directory
        times = [found.st_mtime for each in (name, f"{name}.old") if (found := directory.stat(each)) is not None]
        later = int(max(time.time(), *times)) + 1
        with directory.changing(name):
            os.utime(name, (later, later), dir_fd=directory.fd, follow_symlinks=False)
        command(self._reload, "reload-failed", self.machine.deadline)

    def explain(self, problem: Problem) -> Problem:
        if problem.code != "verify-wrong-key":
            return problem
        causes = f"ticket_key.filename of records.config is {self.path}, and no dest_ip has a certificate of its own"
        return Problem(problem.code, f"{problem.detail}; see that {causes}")


def _laid_out(key: TicketKey) -> bytes:
    """name, HMAC key, AES-128 key: both of this layout's own, since all of 48 bytes would be half of what others hold."""
    return key.name + key.derived("trafficserver-48")


KEYS = TrafficserverKeys
