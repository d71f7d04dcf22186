"""lighttpd: a file of one key, which it takes in when it looks, once in 64 seconds; it keeps the three that it took in last.
A file for each staple, which it looks at as often where it has none or one that ends soon.

Source: lighttpd's documentation, `ssl.stek-file`, `ssl.stapling-file`; its src/mod_openssl.c,
`mod_openssl_session_ticket_key_check`, `mod_openssl_refresh_stapling_file`.
"""

from __future__ import annotations

import os
import struct
import time
from typing import TYPE_CHECKING

from ..clock import Deadline
from ..directory import Directory
from ..files import File, Replacement
from ..handshake import Problem, shake
from ..result import Failure, note
from .key_file import KeyFile
from .staple_file import StapleFile

if TYPE_CHECKING:
    from typing import ClassVar, Sequence

    from ..keys import Ring, TicketKey
    from .protocol import Machine, Staple

# It looks in the seconds of the clock that this divides.
_LOOK = 64
# Beside those seconds it may or may not have seen a file yet.
_MARGIN = 2
# It looks once a second whether that second has come, and on a busy processor passes one over.
_LOOKS = 3
# Of those that it keeps the newest whose time has come encrypts, and all decrypt. The times are an order and no clock.
_ACTIVE, _NEVER = 1, 2_147_483_647
# What it holds, in the order of the ring, as long as it has not read its file since.
_HELD = "lighttpd.held"


class _Unread(Directory):
    """Its files tell whether another process has read them: they begin with times of 1970, and are read here without a trace.

    So old a file is for the server's next start alone: one that runs takes those that are newer than what it took in last.
    """

    def open(self, name: str, flags: int) -> int:
        return super().open(name, flags | os.O_NOATIME)

    def write_new(self, name: str, data: bytes, mode: int, uid: int = -1) -> None:
        super().write_new(name, data, mode, uid)
        self.date(name, _ACTIVE)

    def date(self, name: str, modified: float) -> None:
        with self.changing(name):
            os.utime(name, (0, modified), dir_fd=self.fd, follow_symlinks=False)

    def was_read(self, name: str) -> bool:
        found = self.stat(name)
        return found is None or found.st_atime_ns != 0


class LighttpdKeys(KeyFile):
    """Its file has the current key, which is all that its next start reads. The others go through it one after the other."""

    kind: ClassVar[str] = "lighttpd"
    needs: ClassVar[str] = "LIGHTTPD_KEYS"
    help: ClassVar[str] = """\
  LIGHTTPD_KEYS       file
  LIGHTTPD_GUARDED    guarded listeners
  LIGHTTPD_HEALTH_CHECK
                      words, no shell: asked after a load
"""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._unread = self._directory = _Unread(self._directory.path)

    def content(self, ring: Ring) -> bytes:
        return _laid_out(ring.current, _ACTIVE)

    def holds(self, ring: Ring) -> bool:
        """It cannot be asked. A restart of any sort reads the file, and leaves it with one key."""
        if os.statvfs(self._unread.path).f_flag & os.ST_NOATIME:
            wanted = f"wanted {self._unread.path} on a mount that notes when a file was read"
            raise Failure("config-invalid", f"{wanted}, found noatime: nothing else shows that lighttpd has taken a key")
        return super().holds(ring) and self._held() == list(ring.names)

    def _held(self) -> list[str]:
        held = self.machine.run_directory.read(_HELD) or b""
        return [] if self._unread.was_read(self._name) else held.decode("ascii", "replace").split()

    def load(self, ring: Ring) -> None:
        """From (0, 1, 2) by 3 and then 2 to (1, 2, 3): until the last one 1 encrypts. What is not known is all replaced."""
        self.reloaded = True
        steps = [(ring.next, _NEVER), (ring.current, _ACTIVE)]
        if self._held()[1:2] != [ring.previous.name.hex()]:
            steps.insert(0, (ring.previous, _NEVER if self._encrypts_with(ring.current) else _ACTIVE))
        note(f"lighttpd looks at {self.path} every {_LOOK} s: giving it {len(steps)} keys, one for each look")
        self.machine.run_directory.remove(_HELD)
        try:
            # What is read in between is read by a server that starts: it forgets those before.
            restarts = [self._give(key, begins) for key, begins in steps][1:]
        except BaseException:
            # For its next start.
            self._place(_laid_out(ring.current, _ACTIVE))
            raise
        if not any(restarts):
            self.machine.run_directory.write_new(_HELD, " ".join(ring.names).encode("ascii"), 0o600)

    def _encrypts_with(self, key: TicketKey) -> bool:
        ticket = shake(self.listeners[0], self.machine.deadline).ticket
        return ticket is not None and ticket.key_name == key.name.hex()

    def _give(self, key: TicketKey, begins: int) -> bool:
        """Until it was taken in. Whether the file before was read again meanwhile."""
        patience = Deadline(_LOOKS * _LOOK + 2 * _MARGIN, self.machine.deadline)
        while not _MARGIN <= time.time() % _LOOK < _LOOK - _MARGIN and not patience.passed():
            patience.pause(0.2)
        was_read = self._unread.was_read(self._name)
        self._place(_laid_out(key, begins))
        # Later than what it took in last, also if that was in this second, and earlier than its next look.
        self._unread.date(self._name, int(time.time()) + 1)
        self._await_look(patience)
        return was_read

    def _place(self, data: bytes) -> None:
        replacement = Replacement([File(self._unread, self._name, data, ".")], 0o400, self.owner)
        replacement.place(self.machine.deadline)
        replacement.keep()

    def _await_look(self, patience: Deadline) -> None:
        while not self._unread.was_read(self._name):
            if patience.passed():
                causes = f"its configuration names it as ssl.stek-file, and user {self.owner} can read it (LIGHTTPD_OWNER)"
                raise Failure("reload-not-taken", f"lighttpd has not read {self.path} in {_LOOKS} looks: see that {causes}")
            patience.pause(0.2)
            if time.time() % _LOOK < 1:
                # It sleeps for a second at a time, and in its sleep it may miss this one.
                shake(self.listeners[0], patience)
        while self._unread.was_read(self._name) and not self.machine.deadline.passed():
            # Its other workers look in the same second.
            found = self._unread.stat(self._name)
            self._unread.date(self._name, 0 if found is None else found.st_mtime)
            self.machine.deadline.pause(_MARGIN + 1)

    def explain(self, problem: Problem) -> Problem:
        if problem.code != "verify-wrong-key":
            return problem
        return Problem(problem.code, f"{problem.detail}; see that no other ssl.stek-file is in its configuration")

    def restore(self) -> None:
        """What it has taken in it keeps, and the next run begins anew."""


def _laid_out(key: TicketKey, begins: int) -> bytes:
    """Version, activation and expiry as native integers; then name, HMAC key, AES key."""
    return struct.pack("=iii", 0, begins, _NEVER) + key.laid_out(80, hmac_first=True)


# Seconds before the end of a staple from which on it looks for another one.
_AHEAD = 256


class LighttpdStaples(StapleFile):
    """It drops by itself what has ended, and before that forgets nothing without a restart."""

    kind: ClassVar[str] = "lighttpd"
    needs: ClassVar[str] = "LIGHTTPD_STAPLES"
    help: ClassVar[str] = """\
  LIGHTTPD_STAPLES    CERTIFICATE=STAPLE files, the latter as ssl.stapling-file has it
"""
    # A busy one passes one over.
    polls: ClassVar[int] = 2 * _LOOK

    def load(self, staples: Sequence[Staple], forget: bool) -> Sequence[tuple[Staple, str]]:
        self.reloaded = self.loaded = True
        return []

    def keeps(self, shown: Staple | None, replaced: bool) -> str:
        ends = shown.single.next_update if shown else None
        if ends is not None and ends - replaced * _AHEAD < (time.time() // _LOOK + 1) * _LOOK:
            return ""
        return f"lighttpd {f'looks for another {_AHEAD} s before' if replaced else 'drops it at'} its end, or when it starts"

    def explain(self, problem: Problem) -> Problem:
        if problem.code != "verify-no-staple":
            return problem
        causes = f"ssl.stapling-file beside its ssl.pemfile is that file, and user {self.owner} can read it (LIGHTTPD_OWNER)"
        return Problem(problem.code, f"{problem.detail}; lighttpd looks at it every {_LOOK} s: see that {causes}")

    def restore(self) -> None:
        """The file is back, for its next look."""


KEYS = LighttpdKeys
STAPLES = LighttpdStaples
