"""What a run of a set leaves for the next one: the files of its staples, which of them it proved, how many had drifted."""

from __future__ import annotations

import contextlib
from hashlib import sha256
from typing import TYPE_CHECKING

from .result import Failure

if TYPE_CHECKING:
    from typing import Iterable, Mapping, Sequence

    from .directory import Directory
    from .servers.protocol import Staple

_FILE = "places"


class Memory:
    def __init__(self, directory: Directory) -> None:
        self._directory, self._told = directory, dict[str, str]()
        for line in (directory.read(_FILE) or b"").decode("ascii", "replace").split("\n"):
            path, _, self._told[path] = line.partition(" ")
        count = self._told.pop("drifted", "")
        self.drifted = int(count) if count.isdigit() else 0
        """Of which no command has told."""

    def paths(self) -> list[str]:
        return [path for path in self._told if path]

    def is_proved(self, path: str, staples: Sequence[Staple] | None) -> bool:
        return staples is not None and self._told.get(path) == _digest(staples)

    def keep(self, paths: Iterable[str], proved: Mapping[str, Sequence[Staple]], drifted: int) -> None:
        """Where there is no room for it, the next run does without."""
        lines = [f"drifted {drifted}"]
        for path in paths:
            lines.append(f"{path} {_digest(proved[path]) if path in proved else self._told.get(path, '')}")
        data = "\n".join(lines).encode("ascii")
        with contextlib.suppress(Failure):
            if data != self._directory.read(_FILE):
                self._directory.replace(_FILE, data, 0o600)


def _digest(staples: Sequence[Staple]) -> str:
    return sha256(staples[0].der).hexdigest() if staples else "none"
