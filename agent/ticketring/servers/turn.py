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
    """When the last reload began, in the file of the lock. The clock counts from the start of the machine, which it names."""

    def __init__(self, lock: int | None) -> None:
        self._lock = lock

    def is_after(self, moment: float) -> bool:
        """Whether a reload began after that moment of the monotonic clock."""
        if self._lock is None:
            return False
        start, _, text = os.pread(self._lock, 128, 0).decode("ascii", "replace").strip().partition(" ")
        try:
            return start == _machine_start() and moment < float(text) <= time.monotonic()
        except ValueError:
            return False

    def write(self, moment: float) -> None:
        # Where there is no room for it, the next run reloads once more than it must.
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._lock, 0)
                os.pwrite(self._lock, f"{_machine_start()} {moment:.3f}\n".encode("ascii"), 0)


def _machine_start() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:
        return boot.read(36)
