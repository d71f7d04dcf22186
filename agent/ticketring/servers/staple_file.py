"""What kinds of server have in common that take each staple from a file of its own, and look at nothing of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..files import File
from .protocol import Terminator

if TYPE_CHECKING:
    from typing import ClassVar, Iterator, Sequence

    from ..settings import Settings
    from .protocol import Machine, Place, Staple


class StapleFile(Terminator):
    needs: ClassVar[str] = ""
    least: ClassVar[int] = 0
    heedless: ClassVar[bool] = True
    loaded = False

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._pairs = machine.settings.pairs(self.needs)

    @classmethod
    def is_in_place(cls, settings: Settings) -> bool:
        return any(os.path.exists(staple) for _, staple in settings.pairs(cls.needs))

    def places(self) -> Iterator[tuple[str, str, bool]]:
        return ((certificate, staple, True) for certificate, staple in self._pairs)

    def files(self, place: Place, der: bytes | None) -> Sequence[File]:
        return [File(place.directory, place.name, der, ".")]

    def objection(self, place: Place, haproxy: str) -> str:
        return ""

    def missing(self, staples: Sequence[Staple]) -> Sequence[Staple]:
        return []

    def keeps(self, shown: Staple | None, replaced: bool) -> str:
        return ""
