"""One deadline for every wait of a run."""

from __future__ import annotations

import time


class Deadline:
    """A moment past which nothing waits."""

    def __init__(self, seconds: float, within: Deadline | None = None) -> None:
        end = time.monotonic() + seconds
        self._end = end if within is None else min(end, within._end)

    def left(self) -> float:
        """Seconds."""
        return max(self._end - time.monotonic(), 0.0)

    def passed(self) -> bool:
        return self.left() == 0.0

    def pause(self, seconds: float) -> None:
        time.sleep(min(seconds, self.left()))
