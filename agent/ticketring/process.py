"""Starts the few programs of a run: words without a shell, a bounded answer, a deadline, nothing inherited."""

from __future__ import annotations

import os
import select
import signal
from typing import TYPE_CHECKING

from .clock import Deadline
from .result import Failure, reason

if TYPE_CHECKING:
    from typing import Iterator, Sequence

# `nginx -T` says every site of a large host.
LARGEST_OUTPUT = 67_108_864
COMMAND_SECONDS = 20


class Child:
    """A running program whose two outputs come as one, line by line, until the deadline."""

    def __init__(self, words: Sequence[str], deadline: Deadline) -> None:
        """Its output is a terminal: to a pipe, openssl would write only once 4 kB came together."""
        self._deadline = deadline
        self._status: int | None = None
        try:
            self._output, theirs = os.openpty()
        except OSError as error:
            raise Failure("tool-missing", f"wanted a terminal of /dev/ptmx to run {words[0]} on: {reason(error)}") from None
        source, self._input = os.pipe()
        places = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate((source, theirs, theirs))]
        try:
            # Python ignores them, and a program that it starts is not to.
            signals = (signal.SIGPIPE, signal.SIGXFSZ)
            # subprocess takes as long to load as openssl takes for a handshake.
            self._process = os.posix_spawnp(words[0], [*words], os.environ, file_actions=places, setsid=True, setsigdef=signals)
        except OSError as error:
            self._close()
            missing = isinstance(error, (FileNotFoundError, NotADirectoryError, PermissionError))
            code = "tool-missing" if missing else "internal-error"
            raise Failure(code, f"wanted to run {words[0]}: {reason(error)}") from None
        finally:
            os.close(source)
            os.close(theirs)

    def lines(self) -> Iterator[str]:
        """Ends with the output, soon after the program, with LARGEST_OUTPUT bytes or at the deadline.

        A daemon that the program left behind and that holds its output is not waited for.
        """
        rest, total, ended = b"", 0, False
        while total < LARGEST_OUTPUT and not self._deadline.passed():
            ready, _, _ = select.select([self._output], [], [], min(0.05, self._deadline.left()))
            piece = self._read() if ready else b""
            if piece == b"" and (ready or ended):
                break
            total += len(piece)
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line.decode("ascii", "replace").rstrip("\r")
            ended = self.wait(0) is not None
        if rest:
            yield rest.decode("ascii", "replace")

    def _read(self) -> bytes:
        try:
            return os.read(self._output, 16_384)
        except OSError:
            # EIO: nothing holds the terminal any more.
            return b""

    def end_input(self) -> None:
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    def wait(self, seconds: float) -> int | None:
        """Its exit status; None where it is still running after that time."""
        patience = Deadline(seconds, self._deadline)
        while self._status is None:
            process, status = os.waitpid(self._process, os.WNOHANG)
            if process:
                self._status = os.waitstatus_to_exitcode(status)
            elif patience.passed():
                break
            else:
                patience.pause(0.005)
        return self._status

    def close(self) -> None:
        """What is left of it ends."""
        if self.wait(0) is None:
            os.killpg(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
        self._close()

    def _close(self) -> None:
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


def command(words: Sequence[str], code: str, deadline: Deadline) -> str:
    """A command of the settings, to its end: what it said. Raises Failure with that code."""
    status, said = run(words, Deadline(COMMAND_SECONDS, deadline))
    if status == 0:
        return said
    # nginx ends with "configuration file ... test failed"; the reason stands in a line above.
    cause = said.rpartition("[emerg]")[2].strip().partition("\n")[0]
    words_of_status = f"no end within {COMMAND_SECONDS} s" if status is None else cause or f"exit status {status}"
    raise Failure(code, f"{' '.join(words)}: {words_of_status}")
