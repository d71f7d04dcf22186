"""What kinds of server have in common that take all keys from one file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..directory import Directory
from ..files import File
from .owner import refuse_other_files
from .protocol import Terminator

if TYPE_CHECKING:
    from typing import ClassVar, Sequence

    from ..keys import Ring
    from ..settings import Settings
    from .protocol import Machine


class KeyFile(Terminator):
    needs: ClassVar[str] = ""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self.path = machine.settings.path(self.needs)
        folder, _, name = self.path.rpartition("/")
        self._directory, self._name = Directory(folder, make=True), name

    @classmethod
    def is_in_place(cls, settings: Settings) -> bool:
        return os.path.exists(settings.get(cls.needs))

    def content(self, ring: Ring) -> bytes:
        """Of the file."""
        raise NotImplementedError

    def render(self, ring: Ring) -> Sequence[File]:
        return [self.file(ring)]

    def file(self, ring: Ring) -> File:
        return File(self._directory, self._name, self.content(ring))

    def holds(self, ring: Ring) -> bool:
        refuse_other_files(self, self.render(ring))
        return True
