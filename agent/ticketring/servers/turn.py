"""One run at a time loads or reloads a server: a ring's and a staples' run must not meet there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from typing import TYPE_CHECKING

from ..directory import Directory
from ..result import Failure, note

if TYPE_CHECKING:
    from typing import Generator

    from .protocol import Machine


@contextlib.contextmanager
def turn(machine: Machine, kind: str, which: str) -> Generator[int | None, None, None]:
    """The open lock of that server. One that is held for longer than LOCK_WAIT is not waited for: None."""
    parent = machine.run_directory.path.rpartition("/")[0] or "/"
    directory = machine.run_directory
    # Where the directory above is not root's alone, another user could hold the lock.
    with contextlib.suppress(Failure):
        directory = Directory(parent) if os.access(parent, os.W_OK) else directory
    name = f"{kind}.{hashlib.sha256(which.encode()).hexdigest()[:10]}.reload"
    with contextlib.ExitStack() as held:
        fd = None
        try:
            fd = held.enter_context(directory.locked(name, machine.settings.seconds("LOCK_WAIT", "30"), machine.deadline))
        except Failure as failure:
            if failure.code != "busy":
                raise
            note(f"{failure.detail}; not waiting for it")
        yield fd


class Mark:
    """When the last reload began and what it loaded, in the file of the lock. Its clock begins with the machine's start."""

    def __init__(self, lock: int | None) -> None:
        self._lock, self.moment, self.digest = lock, float("-inf"), ""
        words = b"" if lock is None else os.pread(lock, 256, 0)
        with contextlib.suppress(ValueError):
            start, moment, digest = words.decode("ascii", "replace").split()
            if start == _machine_start():
                self.moment, self.digest = float(moment), digest

    def write(self, moment: float, digest: str) -> None:
        # Where there is no room for it, the next run reloads once more than it must.
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._lock, 0)
                os.pwrite(self._lock, f"{_machine_start()} {moment:.3f} {digest}\n".encode("ascii"), 0)


def now() -> float:
    """Seconds since the machine's start."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _machine_start() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:
        return boot.read(36)
