"""What a kind of server does for a story. The stories know no kind."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple

from ..clock import Deadline
from ..files import uid_of
from ..handshake import nothing_listens
from ..result import Failure, note

if TYPE_CHECKING:
    from typing import Callable, ClassVar, ContextManager, Iterator, Protocol, Sequence, Type, TypeVar

    from ..directory import Directory
    from ..files import File
    from ..handshake import Problem
    from ..keys import Ring
    from ..ocsp import Certificate, Response, Single
    from ..settings import Listener, Settings

    class Server(Protocol):
        machine: Machine
        kind: ClassVar[str]
        needs: ClassVar[str]
        """The setting whose presence tells that a machine may have it."""
        help: ClassVar[str]
        """A line for each setting of its own, which is known by being there."""
        owner: int
        """User id that its files belong to."""
        listeners: list[Listener]
        reloaded: bool
        """Whether it was reloaded: old workers answer for a moment yet."""
        first: bool
        """Whether it is to get its files for the first time: no reload of it waits for anything."""
        urgent: bool
        """Whether it holds what was revoked or has ended: no reload of it waits for its turn."""

        def __init__(self, machine: Machine) -> None: ...

        @classmethod
        def is_running(cls, settings: Settings) -> bool:
            """Whether it is known to run; nginx, say, shows nothing."""
            ...

        @classmethod
        def is_in_place(cls, settings: Settings) -> bool:
            """Whether its files are there."""
            ...

        @classmethod
        def program(cls, settings: Settings) -> str: ...

        def version(self) -> str:
            """As it says itself; empty where it does not."""
            ...

        def absence(self, problem: Problem) -> str:
            """Words for it where `problem` means that it does not run at all; else nothing."""
            ...

        def lag(self) -> str | None:
            """Words for it where processes of before a reload take connections yet, else nothing; None where that cannot
            be seen."""
            ...

        def explain(self, problem: Problem) -> Problem:
            """What a load that was not seen came from, as far as the server shows it."""
            ...

        def look_until(self, look: Callable[[], Problem | None], enough: int) -> None:
            """Looks until there was no problem so many times in a row; once where no old process answers."""
            ...

        def restore(self) -> None:
            """Brings its processes back to what they held before a load; the files are back already."""
            ...

        def turn(self) -> ContextManager[object]:
            """Inside, no other run of this machine loads or reloads it."""
            ...

    class KeyServer(Server, Protocol):
        """The ticket keys of one server: in files, which its next start reads, and in its processes."""

        def render(self, ring: Ring) -> Sequence[File]:
            """In the order in which they are replaced."""
            ...

        def holds(self, ring: Ring) -> bool:
            """Whether its processes are known to hold exactly this ring; True where that cannot be looked at.

            Raises NotRunning, or Failure where the server answers what it should not.
            """
            ...

        def load(self, ring: Ring) -> None:
            """Brings its processes to the ring in the files. May be repeated."""
            ...

    class StapleServer(Server, Protocol):
        """The staples of one server: in files, which its next start reads, and in its processes."""

        least: ClassVar[int]
        """Seconds that a response must have left, for the server to take it."""
        heedless: ClassVar[bool]
        """It staples what a file holds, of whatever certificate, and does not start with what is no response."""
        loaded: bool
        """Whether something was brought to its processes."""

        def places(self) -> Iterator[tuple[str, str, bool]]:
            """Files of a certificate and of its staple, and whether the settings name the certificate itself."""
            ...

        def files(self, place: Place, der: bytes | None) -> Sequence[File]:
            """In the order in which they are replaced; of None, in which they go."""
            ...

        def objection(self, place: Place, haproxy: str) -> str:
            """Why this server would not take the response, for which the store has a word of HAProxy's; else nothing."""
            ...

        def missing(self, staples: Sequence[Staple]) -> Sequence[Staple]:
            """Those that its processes are known not to hold. Raises NotRunning."""
            ...

        def load(self, staples: Sequence[Staple], forget: bool) -> Sequence[tuple[Staple, str]]:
            """Brings its processes to the files, of which these changed; `forget`: and others went. Gives those that
            it refuses, each with its words. Raises Waits."""
            ...

        def keeps(self, shown: Staple | None, replaced: bool) -> str:
            """How long it staples on what it shows, another certificate's too, though its file has another or is gone; empty
            where it need only be told, or waited for."""
            ...

    S = TypeVar("S", bound=Server)


class NotRunning(Exception):
    """The server does not run: the files may take what its next start needs."""


class Waits(Failure):
    """The server takes the files at its next start or reload, and not before: they stay."""


class Machine(NamedTuple):
    """What a run has at hand."""

    settings: Settings
    deadline: Deadline
    run_directory: Directory


class Place(NamedTuple):
    """A certificate of this machine, and where its staple is kept."""

    certificate: str
    """Its file, as the server names it."""
    leaf: Certificate
    issuer: Certificate | None
    """Where the file has it."""
    directory: Directory
    name: str

    @property
    def path(self) -> str:
        return f"{self.directory.path}/{self.name}"


class Staple(NamedTuple):
    """A response that a certificate is to have."""

    place: Place
    der: bytes
    response: Response
    single: Single


class Terminator:
    """What the kinds have in common. One that overrides nothing of it shows itself by its listeners alone."""

    kind: ClassVar[str] = ""
    polls: ClassVar[int] = 0
    """Seconds after which it looks at its files by itself; 0 where it is told."""

    def __init__(self, machine: Machine) -> None:
        name = self.kind.upper()
        self.machine = machine
        self.owner = uid_of(machine.settings.user(f"{name}_OWNER"))
        self.listeners = machine.settings.listeners(name)
        self.reloaded = self.first = self.urgent = False

    @classmethod
    def is_running(cls, settings: Settings) -> bool:
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

    def explain(self, problem: Problem) -> Problem:
        return problem

    def lag(self) -> str | None:
        return None

    def look_until(self, look: Callable[[], Problem | None], enough: int) -> None:
        seconds = self.polls + self.machine.settings.seconds("VERIFY_WAIT", "10") if self.reloaded else 1
        patience, sightings = Deadline(seconds, self.machine.deadline), 0
        lag = self.lag()
        while lag and not patience.passed():
            # What old processes show proves nothing.
            self.machine.deadline.pause(0.05)
            lag = self.lag()
        enough = 1 if lag == "" else enough
        while sightings < enough:
            try:
                problem = look()
            except NotRunning:
                # A restart takes a moment.
                if patience.passed():
                    raise
                sightings, problem = -1, None
            sightings = 0 if problem is not None else sightings + 1
            if problem is not None and patience.passed():
                raise Failure(*self.explain(problem))
            if sightings < enough:
                self.machine.deadline.pause(0.05)
        if lag:
            note(lag)


def choose(kinds: Sequence[Type[S]], settings: Settings) -> Type[S]:
    """The kind that the settings name, or else the only one that is configured, runs, has its files or is installed."""
    told = settings.get("SERVER")
    if told and told not in {kind.kind for kind in kinds}:
        raise Failure("config-invalid", f"wanted SERVER in {settings.own_file} as a kind in `servers`, found {told}")
    named = [kind for kind in kinds if kind.kind == told]
    configured = named or [kind for kind in kinds if settings.get(kind.needs)]
    if len(configured) == 1:
        return configured[0]
    if not configured:
        raise Failure("config-invalid", f"wanted {' or '.join(kind.needs for kind in kinds)}, found neither")
    for found in (
        [kind for kind in configured if kind.is_running(settings)],
        [kind for kind in configured if kind.is_in_place(settings)],
        [kind for kind in configured if find_program(kind.program(settings))],
    ):
        if len(found) == 1:
            return found[0]
    wanted = f"wanted SERVER in {settings.own_file}"
    raise Failure("config-invalid", f"{wanted}: several servers can be meant, and none is known to run")


def find_program(command: str) -> str:
    """Its path; empty where it is not installed."""
    folders = [""] if "/" in command else [f"{folder}/" for folder in os.environ.get("PATH", "").split(":")]
    return next((path for path in (folder + command for folder in folders) if os.access(path, os.X_OK)), "")
