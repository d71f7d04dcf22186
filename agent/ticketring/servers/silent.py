"""What kinds of server have in common that show themselves by their listeners alone."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ..handshake import Problem, nothing_listens
from .protocol import Terminator

if TYPE_CHECKING:
    from typing import ContextManager

    from ..settings import Settings


class Silent(Terminator):
    @staticmethod
    def is_running(settings: Settings) -> bool:
        return False

    @classmethod
    def program(cls, settings: Settings) -> str:
        return cls.kind

    def version(self) -> str:
        return ""

    def turn(self) -> ContextManager[object]:
        return contextlib.nullcontext()

    def absence(self, problem: Problem) -> str:
        gone = problem.code == "verify-unreachable" and nothing_listens(self.listeners, self.machine.deadline)
        return f"{self.kind} does not answer" if gone else ""
