"""Apache Traffic Server: one file of 48 bytes a key, of which the first encrypts, and a file for each staple; a reload, by
its own tool, loads them.

Source: records.config, `proxy.config.ssl.server.ticket_key.filename`; ssl_multicert.config, `ssl_ocsp_name`;
iocore/net/SSLConfig.cc, SSLCertLookup.cc and OCSPStapling.cc, mgmt/FileManager.cc of 9.2.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from ..files import read_public
from ..handshake import Problem
from ..process import command
from ..result import Failure, reason
from .key_file import KeyFile
from .protocol import Terminator
from .staple_file import StapleFile
from .turn import turn

if TYPE_CHECKING:
    from typing import ClassVar, ContextManager, Iterator, Sequence

    from ..keys import Ring, TicketKey
    from ..settings import Settings
    from .protocol import Machine, Staple

_CERTIFICATES = "/etc/trafficserver/ssl_multicert.config"


class Trafficserver(Terminator):
    """What keys and staples share: its manager takes seconds to pass a reload on, and what a handshake shows tells."""

    kind: ClassVar[str] = "trafficserver"
    polls: ClassVar[int] = 10

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._reload = machine.settings.command("TRAFFICSERVER_RELOAD", "traffic_ctl config reload")

    @classmethod
    def program(cls, settings: Settings) -> str:
        return "traffic_server"

    def turn(self) -> ContextManager[object]:
        return turn(self.machine, self.kind, " ".join(self._reload))

    def reload(self) -> None:
        self.reloaded = True
        command(self._reload, "reload-failed", self.machine.deadline)


class TrafficserverKeys(Trafficserver, KeyFile):
    """It says nothing of its keys: what it encrypts with tells."""

    needs: ClassVar[str] = "TRAFFICSERVER_KEYS"
    help: ClassVar[str] = """\
  TRAFFICSERVER_KEYS  file
  TRAFFICSERVER_RELOAD
                      words, no shell: traffic_ctl config reload
  TRAFFICSERVER_GUARDED
                      guarded listeners
  TRAFFICSERVER_HEALTH_CHECK
                      words, no shell: asked after a load
"""

    def content(self, ring: Ring) -> bytes:
        return b"".join(_laid_out(key) for key in (ring.current, ring.next, ring.previous))

    def load(self, ring: Ring) -> None:
        self.restore()

    def restore(self) -> None:
        """It reads a file whose time is later than the second of its last load, and its manager one whose time is another."""
        name, directory = self._name, self._directory
        times = [found.st_mtime for each in (name, f"{name}.old") if (found := directory.stat(each)) is not None]
        later = int(max(time.time(), *times)) + 1
        with directory.changing(name):
            os.utime(name, (later, later), dir_fd=directory.fd, follow_symlinks=False)
        self.reload()

    def explain(self, problem: Problem) -> Problem:
        if problem.code != "verify-wrong-key":
            return problem
        causes = f"ticket_key.filename of records.config is {self.path}, and no dest_ip has a certificate of its own"
        return Problem(problem.code, f"{problem.detail}; see that {causes}")


def _laid_out(key: TicketKey) -> bytes:
    """name, HMAC key, AES-128 key: both of this layout's own, since all of 48 bytes would be half of what others hold."""
    return key.name + key.derived("trafficserver-48")


class TrafficserverStaples(Trafficserver, StapleFile):
    """It staples a file for ever, reads it with its certificates, and those when the list of them has another time."""

    needs: ClassVar[str] = "TRAFFICSERVER_STAPLES"
    help: ClassVar[str] = f"""\
  TRAFFICSERVER_STAPLES
                      CERTIFICATE=STAPLE files, the latter as ssl_ocsp_name has it
  TRAFFICSERVER_CERTIFICATES
                      its list of them: {_CERTIFICATES}
  TRAFFICSERVER_RELOAD
                      words, no shell: traffic_ctl config reload
"""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._certificates = machine.settings.path("TRAFFICSERVER_CERTIFICATES", _CERTIFICATES)

    def places(self) -> Iterator[tuple[str, str, bool]]:
        # Before anything is touched.
        self._refuse_shared_lines()
        return super().places()

    def _refuse_shared_lines(self) -> None:
        """9.2 ends with SIGSEGV, and at each start again, where the second certificate of a line alone has no staple."""
        try:
            text = read_public(self._certificates).decode("utf-8", "replace")
        except OSError as error:
            found = f"cannot read it: {reason(error)}"
            raise Failure("config-invalid", f"wanted {self._certificates} as TRAFFICSERVER_CERTIFICATES, {found}") from None
        for line in text.split("\n"):
            words = line.partition("#")[0].split()
            if any(word.startswith("ssl_ocsp_name=") and "," in word for word in words):
                wanted = f"wanted a line for each certificate with ssl_ocsp_name in {self._certificates}"
                raise Failure("config-invalid", f"{wanted}, found one of several: 9.2 crashes where the second has no staple")

    def load(self, staples: Sequence[Staple], forget: bool) -> Sequence[tuple[Staple, str]]:
        self.restore()
        self.loaded = True
        return []

    def restore(self) -> None:
        try:
            later = int(max(time.time(), os.stat(self._certificates).st_mtime)) + 1
            os.utime(self._certificates, (later, later))
        except OSError as error:
            raise Failure("write-failed", f"cannot set the time of {self._certificates}: {reason(error)}") from None
        self.reload()

    def explain(self, problem: Problem) -> Problem:
        causes = {
            "verify-no-staple": "ssl.ocsp.enabled is 1, ssl_ocsp_name is that file, and the certificate names a responder",
            "verify-wrong-staple": "ssl.ocsp.cache_timeout is 2147483647, or it asks the responder itself",
        }.get(problem.code)
        return Problem(problem.code, f"{problem.detail}; see that {causes}") if causes else problem


KEYS = TrafficserverKeys
STAPLES = TrafficserverStaples
