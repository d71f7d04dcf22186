"""Where keys may lie: in memory, and in no swap that others could read."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from .result import note

if TYPE_CHECKING:
    from typing import Sequence

    from .directory import Directory


def file_system(directory: Directory) -> str:
    """Its type. Source: proc(5), /proc/pid/mountinfo."""
    device = os.fstat(directory.fd).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            fields, _, kind = line.partition(" - ")
            if fields.split(" ")[2] == wanted:
                return kind.split(" ")[0]
    return "unknown"


def warn_of_swap() -> None:
    for device in plain_swap():
        note(f"warning: {device} is swap that may not be encrypted; keys in a tmpfs can reach it")


def plain_swap() -> Sequence[str]:
    """Devices to which pages of a tmpfs may go in clear. zram stays in memory; dm-crypt says so in its uuid."""
    with contextlib.suppress(OSError), open("/proc/swaps", encoding="ascii", errors="replace") as swaps:
        devices = [line.split()[0] for line in list(swaps)[1:]]
        return [each for each in devices if not each.startswith("/dev/zram") and not _is_encrypted(each)]
    return []


def _is_encrypted(device: str) -> bool:
    with contextlib.suppress(OSError), open(f"/sys/block/{os.path.basename(device)}/dm/uuid", encoding="ascii") as uuid:
        return uuid.read(64).startswith("CRYPT-")
    return False
