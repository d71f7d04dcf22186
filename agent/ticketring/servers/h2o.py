"""H2O: one YAML file of keys with times, which it looks at every ten seconds; a command that prints a staple, which it runs as
often. Nothing is reloaded.

Source: H2O's documentation, `ssl-session-resumption`, `ticket-file`, `ocsp-update-interval`; its src/ssl.c,
`ticket_file_updater`, and src/main.c, `ocsp_updater_thread`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..handshake import Problem
from .key_file import KeyFile
from .staple_file import StapleFile

if TYPE_CHECKING:
    from typing import ClassVar, Sequence

    from ..keys import Ring, TicketKey
    from .protocol import Staple

# Of those whose time has come the newest encrypts, and all decrypt. The times are an order and no clock: where the
# machine's is wrong, the ring is right. Each lies within 32 bits.
_TIMES = {"previous": 1, "current": 2, "next": 4_294_967_294}
_LAST = 4_294_967_295
# What the key of HMAC-SHA-256 is filled up to: the size of its block. Source: RFC 2104, section 2.
_BLOCK = 64


class H2oKeys(KeyFile):
    """What it encrypts with tells which file it has taken, and so that it has all keys of it."""

    kind: ClassVar[str] = "h2o"
    needs: ClassVar[str] = "H2O_KEYS"
    help: ClassVar[str] = """\
  H2O_KEYS            file
  H2O_GUARDED         guarded listeners
  H2O_HEALTH_CHECK    words, no shell: asked after a load
"""
    polls: ClassVar[int] = 10

    def content(self, ring: Ring) -> bytes:
        named = (("previous", ring.previous), ("current", ring.current), ("next", ring.next))
        return "".join(_entry(key, _TIMES[name]) for name, key in named).encode("ascii")

    def load(self, ring: Ring) -> None:
        """H2O reads a file whose time, in whole seconds, is not the one that it saw last, though that was of no use."""
        self.reloaded = True
        file = self.file(ring)
        names = (file.name, file.neighbour("old"))
        times = [found.st_mtime for name in names if (found := file.directory.stat(name)) is not None]
        later = int(max(times)) + 1
        with file.directory.changing(file.name):
            os.utime(file.name, (later, later), dir_fd=file.directory.fd, follow_symlinks=False)

    def explain(self, problem: Problem) -> Problem:
        if problem.code != "verify-wrong-key":
            return problem
        causes = f"its configuration names {self.path} as ticket-file, and its user can read that (H2O_OWNER)"
        words = f"H2O looks at it every {self.polls} s: see that {causes}; its error log tells"
        return Problem(problem.code, f"{problem.detail}; {words}")

    def restore(self) -> None:
        """The file is back, and with it its time."""


def _entry(key: TicketKey, begins: int) -> str:
    secret = key.aes.hex() + key.hmac.hex().ljust(2 * _BLOCK, "0")
    return f"""\
- name: {key.name.hex()}
  cipher: aes-256-cbc
  hash: sha256
  key: {secret}
  not_before: {begins}
  not_after: {_LAST}
"""


class H2oStaples(StapleFile):
    """It staples what the command prints, and nothing once that ends with 75 as often as ocsp-max-failures has it."""

    kind: ClassVar[str] = "h2o"
    needs: ClassVar[str] = "H2O_STAPLES"
    help: ClassVar[str] = """\
  H2O_STAPLES         CERTIFICATE=STAPLE files, the latter as ocsp-update-cmd prints it
"""
    polls: ClassVar[int] = 10

    def load(self, staples: Sequence[Staple], forget: bool) -> Sequence[tuple[Staple, str]]:
        self.reloaded = self.loaded = True
        return []

    def explain(self, problem: Problem) -> Problem:
        if problem.code not in ("verify-no-staple", "verify-wrong-staple", "verify-still-stapled"):
            return problem
        causes = "its ocsp-update-cmd prints that file, or ends with 75 where there is none"
        words = f"see that {causes}, ocsp-update-interval is at most {self.polls} and ocsp-max-failures 0"
        return Problem(problem.code, f"{problem.detail}; {words}")

    def restore(self) -> None:
        """The file is back, which it prints next."""


KEYS = H2oKeys
STAPLES = H2oStaples
