"""Starts the few programs of a run: words without a shell, a bounded answer, a deadline, nothing inherited."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from typing import TYPE_CHECKING

from .clock import Deadline
from .result import Failure, reason

if TYPE_CHECKING:
    from typing import Iterator, Sequence

LARGEST_OUTPUT = 1_048_576
COMMAND_SECONDS = 20


class Child:
    """A running program whose two outputs come as one, line by line, until the deadline."""

    def __init__(self, words: Sequence[str], deadline: Deadline) -> None:
        """Its output is a terminal: to a pipe, openssl would write only once 4 kB came together."""
        self._deadline = deadline
        try:
            self._output, theirs = os.openpty()
        except OSError as error:
            raise Failure("tool-missing", f"wanted a terminal of /dev/ptmx to run {words[0]} on: {reason(error)}") from None
        try:
            self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=theirs, stderr=theirs, start_new_session=True)
        except OSError as error:
            os.close(self._output)
            missing = isinstance(error, (FileNotFoundError, NotADirectoryError, PermissionError))
            code = "tool-missing" if missing else "internal-error"
            raise Failure(code, f"wanted to run {words[0]}: {reason(error)}") from None
        finally:
            os.close(theirs)

    def lines(self) -> Iterator[str]:
        """Ends with the output, soon after the program, with LARGEST_OUTPUT bytes or at the deadline.

        A daemon that the program left behind and that holds its output is not waited for.
        """
        rest, total, ended = b"", 0, False
        while total < LARGEST_OUTPUT and not self._deadline.passed():
            ready, _, _ = select.select([self._output], [], [], min(0.05, self._deadline.left()))
            piece = self._read() if ready else None
            if piece == b"" or (piece is None and ended):
                break
            total += len(piece or b"")
            *whole, rest = (rest + (piece or b"")).split(b"\n")
            for line in whole:
                yield line.decode("ascii", "replace").rstrip("\r")
            ended = self._process.poll() is not None
        if rest:
            yield rest.decode("ascii", "replace")

    def _read(self) -> bytes:
        try:
            return os.read(self._output, 16_384)
        except OSError:
            # EIO: nothing holds the terminal any more.
            return b""

    def end_input(self) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def wait(self, seconds: float) -> int | None:
        """Its exit status; None where it is still running after that time."""
        try:
            return self._process.wait(min(seconds, self._deadline.left()))
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """What is left of it ends."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self.end_input()
        os.close(self._output)


def run(words: Sequence[str], deadline: Deadline) -> tuple[int | None, str]:
    """A command to its end: its exit status, None where time ran out, and what it said."""
    child = Child(words, deadline)
    try:
        child.end_input()
        said = "\n".join(child.lines())
        return child.wait(COMMAND_SECONDS), said
    finally:
        child.close()


def command(words: Sequence[str], code: str, deadline: Deadline) -> None:
    """A command of the settings, to its end. Raises Failure with that code."""
    status, said = run(words, Deadline(COMMAND_SECONDS, deadline))
    if status == 0:
        return
    # nginx ends with "configuration file ... test failed"; the reason stands in a line above.
    cause = said.rpartition("[emerg]")[2].strip().partition("\n")[0]
    words_of_status = f"no end within {COMMAND_SECONDS} s" if status is None else cause or f"exit status {status}"
    raise Failure(code, f"{' '.join(words)}: {words_of_status}")
