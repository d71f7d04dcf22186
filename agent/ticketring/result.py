"""The one line that a run leaves on standard output, and the failure that ends in one. docs/errors.md lists the codes."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Mapping

LONGEST_DETAIL = 300


class Failure(Exception):
    """Ends a run: a code of the closed list, and what was wanted and what came. Never key bytes."""

    def __init__(self, code: str, detail: str, retry_after: int = 0) -> None:
        """retry_after: seconds after which it may go well, where that is known."""
        super().__init__(code)
        self.code = code
        self.detail = printable(detail)
        self.retry_after = retry_after

    def add(self, detail: str) -> None:
        """Says more; what was said first may lose its end."""
        more = printable(f"; {detail}")
        self.detail = self.detail[: LONGEST_DETAIL - len(more)] + more


def printable(text: str) -> str:
    """ASCII that needs no escape in JSON, at most LONGEST_DETAIL characters."""
    return re.sub(r"[^ -~]", " ", text.replace('"', "'").replace("\\", "/"))[:LONGEST_DETAIL]


def note(text: str) -> None:
    """A remark for the operator. One that cannot be written is lost, and nothing else."""
    try:
        os.write(2, f"ticketring: {printable(text)}\n".encode("ascii"))
    except OSError:
        pass


def emit(fields: Mapping[str, object]) -> None:
    """Writes the line whole. Raises OSError: a result that cannot be read is no success."""
    line = (json.dumps({"v": 1, **fields}, separators=(",", ":")) + "\n").encode("ascii")
    while line:
        line = line[os.write(1, line) :]


def reason(error: OSError) -> str:
    """The system's words for it."""
    return os.strerror(error.errno) if error.errno else type(error).__name__
