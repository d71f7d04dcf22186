"""What a run is asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Mapping, Sequence

_STAPLES = "(all|[0-9a-f]{32}=([0-9a-f]{64}|withdrawn)(,[0-9a-f]{32}=([0-9a-f]{64}|withdrawn))*)"


class Request:
    """What the command line and Run Command's variables say. Raises ValueError."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        if not words or words[0] not in ("ring", "staples"):
            raise ValueError("wanted ring or staples first")
        names = [word for word in words[1:] if not word.startswith("-")]
        for word in words[1:]:
            if word.startswith("-") and word not in ("--boot", "--pull"):
                raise ValueError(f"unknown option {word}")
        if len(names) > 2:
            raise ValueError("too many arguments")
        self.kind, self.is_ring = words[0], words[0] == "ring"
        self.boot, self.pull = "--boot" in words, "--pull" in words
        if self.boot and self.pull:
            raise ValueError("--boot or --pull, not both")
        named, told = ("TICKETRING_RING", "SSM_Generation") if self.is_ring else ("TICKETRING_SET", "SSM_Staples")
        self.name = names[0] if names else environment.get(named, "")
        self.order = names[1] if len(names) == 2 else environment.get(told, "1" if self.is_ring else "all")
        if re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", self.name) is None:
            raise ValueError(f"a name is lower-case letters, digits and hyphens, at most 64, not '{self.name[:99]}'")
        if self.is_ring and re.fullmatch(r"[1-9][0-9]{0,11}", self.order) is None:
            raise ValueError(f"a generation is a positive number, not '{self.order[:99]}'")
        if not self.is_ring and re.fullmatch(_STAPLES, self.order) is None:
            raise ValueError(f"staples are all, or ID=SHA256 and ID=withdrawn, not '{self.order[:99]}'")
        self.scope = self.name if self.is_ring else f"{self.name}.staples"
