"""dnsdist: one binary file of keys, of which the last encrypts; each frontend loads it when the console says so.

Source: dnsdist's documentation, "TLS Sessions Management", `loadTicketsKeys`, `showTLSContexts`, `showDOHFrontends`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ..clock import Deadline
from ..handshake import Problem, nothing_listens
from ..process import COMMAND_SECONDS, run
from ..result import Failure
from .key_file import KeyFile
from .protocol import NotRunning

if TYPE_CHECKING:
    from typing import ClassVar

    from ..keys import Ring
    from ..settings import Settings
    from .protocol import Machine

_CONSOLE = "dnsdist -c"
# What shows the frontends of DNS over TLS, under its name of now or of before, and of DNS over HTTPS; what gives one.
_SORTS = (("(showTLSFrontends or showTLSContexts)()", "getTLSFrontend"), ("showDOHFrontends()", "getDOHFrontend"))
# Number, address, (queries,) keys, rotation delay and next rotation, which is a time or a date and a time.
_ROW = re.compile(r"([0-9]+) +(\S+) +(?:.* )?([0-9]+) +([0-9]+) +[0-9-]+(?: [0-9:]+)? *\r?")
# An address that is longer is shown cut off.
_SHOWN = 20
_LOADED = "loaded"


class Frontend(NamedTuple):
    """An addTLSLocal or addDOHLocal of the configuration, as the console shows it."""

    handle: str
    """What it is in Lua."""
    address: str
    keys: int
    delay: int
    """Seconds after which it adds a random key; 0 for never."""


class DnsdistKeys(KeyFile):
    """Three keys, which drive out the three of before.

    The client finds the console's secret in the configuration: what it says is looked at, and never repeated.
    """

    kind: ClassVar[str] = "dnsdist"
    needs: ClassVar[str] = "DNSDIST_KEYS"
    help: ClassVar[str] = f"""\
  DNSDIST_KEYS        file
  DNSDIST_GUARDED     guarded listeners
  DNSDIST_HEALTH_CHECK
                      words, no shell: asked after a load
  DNSDIST_CONSOLE     its client, in words, no shell: {_CONSOLE}
  DNSDIST_FRONTENDS   addresses, as the console shows them; default: all of TLS and HTTPS
"""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._console = machine.settings.command("DNSDIST_CONSOLE", _CONSOLE)
        self._chosen = [address[:_SHOWN] for address in machine.settings.get("DNSDIST_FRONTENDS").split()]
        self._loaded = False

    @classmethod
    def program(cls, settings: Settings) -> str:
        return next(iter(settings.words("DNSDIST_CONSOLE", _CONSOLE)), cls.kind)

    def content(self, ring: Ring) -> bytes:
        """The last one encrypts."""
        return b"".join(key.laid_out(80) for key in (ring.previous, ring.next, ring.current))

    def holds(self, ring: Ring) -> bool:
        super().holds(ring)
        frontends = self._frontends()
        for each in frontends:
            if each.delay != 0:
                raise _misconfigured(each, f"ticketsKeysRotationDelay=0, found {each.delay}: it adds random keys")
            if each.keys != 3 and self._loaded:
                raise _misconfigured(each, f"numberOfTicketsKeys=3, found {each.keys} keys in it")
        return all(each.keys == 3 for each in frontends)

    def load(self, ring: Ring) -> None:
        self._load()

    def explain(self, problem: Problem) -> Problem:
        if problem.code != "verify-wrong-key":
            return problem
        return Problem(problem.code, f"{problem.detail}; see that it is of the dnsdist that {' '.join(self._console)} asks")

    def restore(self) -> None:
        if self._loaded:
            self._load()

    def _load(self) -> None:
        self._loaded = True
        loads = [f'{each.handle}:loadTicketsKeys("{self.path}")' for each in self._frontends()]
        answer = self._ask(" ".join([*loads, f'return "{_LOADED}"']))
        if "Unable to load a ticket key" in answer:
            causes = "its user can read it (DNSDIST_OWNER), and that its frontends are OpenSSL's, not GnuTLS's"
            raise Failure("reload-failed", f"dnsdist could not load the keys of {self.path}: see that {causes}")
        if answer.split()[-1:] != [_LOADED]:
            raise _unexpected("it to load the keys by loadTicketsKeys")

    # ---- Its console

    def _frontends(self) -> list[Frontend]:
        shown = [each for show, get in _SORTS for each in _rows(self._ask(show), get)]
        for address in self._chosen:
            if all(each.address != address for each in shown):
                raise _unexpected(f"a frontend at {address}, as DNSDIST_FRONTENDS has it")
        found = [each for each in shown if not self._chosen or each.address in self._chosen]
        if not found:
            raise _unexpected("an addTLSLocal or an addDOHLocal")
        return found

    def _ask(self, lua: str) -> str:
        """Raises NotRunning, or Failure. The client ends with 0 whatever the console says."""
        status, said = run([*self._console, "-e", lua], Deadline(COMMAND_SECONDS, self.machine.deadline))
        words = f"exit status {status}"
        if status is None:
            words = f"no end within {COMMAND_SECONDS} s"
        elif "setKey() directive" in said:
            words = "another secret, or none (setKey)"
        elif status == 0:
            return said
        elif "Connection refused" in said:
            if nothing_listens(self.listeners, self.machine.deadline):
                raise NotRunning("dnsdist's console does not answer")
            words = "connection refused (controlSocket)"
        raise Failure("socket-refused", f"wanted an answer of dnsdist's console by {' '.join(self._console)}, got: {words}")


def _rows(answer: str, get: str) -> list[Frontend]:
    rows = [match for line in answer.split("\n") if (match := _ROW.fullmatch(line)) is not None]
    return [Frontend(f"{get}({row[1]})", row[2], int(row[3]), int(row[4])) for row in rows]


def _unexpected(wanted: str) -> Failure:
    return Failure("socket-unexpected", f"wanted {wanted}, dnsdist's console tells otherwise")


def _misconfigured(frontend: Frontend, wanted: str) -> Failure:
    return Failure("socket-unexpected", f"{frontend.handle} at {frontend.address}: wanted {wanted}")


KEYS = DnsdistKeys
