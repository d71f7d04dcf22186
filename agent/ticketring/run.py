"""What the stories of a ring and of staples share: the server and its lock, what is seen of it, and the way back."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from .aws import Aws, passes
from .clock import Deadline
from .directory import Directory
from .hold import refuse_held
from .result import Failure, note
from .servers.protocol import Machine, NotRunning, choose
from .units import keep_units

if TYPE_CHECKING:
    from typing import Callable, ClassVar, Mapping, Sequence, Type

    from .handshake import Problem
    from .request import Request
    from .servers.protocol import Server
    from .settings import Listener, Settings

    F = TypeVar("F")

S = TypeVar("S", bound="Server")
# Its time is that of the last run which was no pull and went well.
_ASKED = "asked"
# How late a run of State Manager may come.
_LATE_SECONDS = 300
_UNDO_SECONDS = 15
# Kept back at boot, to put files in place.
_PLACING_SECONDS = 20


class Run(Generic[S]):
    """One run. What there is to tell stands in it at any moment, however the run ends."""

    mendable: ClassVar[Sequence[str]] = ()
    """Problems that a load is there to mend."""
    boot_wait: ClassVar[str] = "30"
    """Seconds that a boot waits for AWS, unless told."""
    result = failing = "failed"
    server = version = ""
    _verified, loads = False, True
    """Where nothing is loaded, the units of systemd stay as they are too."""

    if TYPE_CHECKING:

        def _apply(self) -> None: ...

        def _place_for_start(self) -> None: ...

        def _look_at(self, listener: Listener) -> Problem | None: ...

    def __init__(
        self,
        kinds: Sequence[Type[S]],
        request: Request,
        settings: Settings,
        environment: Mapping[str, str],
        deadline: Deadline,
    ) -> None:
        self._kinds, self._request = kinds, request
        self._settings, self._environment, self._deadline = settings, environment, deadline

    def fields(self) -> dict[str, object]:
        verified = "handshake" if self._verified and self.result != "failed" else "none"
        return {"server": self.server, "result": self.result, "verified": verified}

    def run(self) -> None:
        """Raises Failure."""
        settings, boot = self._settings, self._request.boot
        self._directory = Directory(settings.path("RUN_DIR", f"/run/ticketring/{self._request.scope}"), make=True)
        self._machine = Machine(settings, self._deadline, self._directory)
        # At boot, an ordinary run that AWS keeps waiting comes to its end first.
        wait = settings.seconds("LOCK_WAIT", "60" if boot else "30")
        with self._directory.locked("lock", wait, self._deadline):
            refuse_held(self._directory)
            kind = choose(self._kinds, settings)
            self.server = kind.kind
            self._server = kind(self._machine)
            if not boot and not self._request.pull and self.loads:
                wanted = settings.one_of("BOOT", ("yes", "no")) == "yes"
                keep_units(self._request.kind, self._request.name, self.server, wanted, self._deadline)
            try:
                self._apply()
            finally:
                self.version = "" if boot else self._server.version()
            if not boot and not self._request.pull:
                with contextlib.suppress(Failure):
                    self._directory.write_new(_ASKED, b"", 0o600)

    def _rests(self) -> bool:
        """A pull, where State Manager or a command has had AWS asked: every reading costs, and one way of asking is enough."""
        found = self._directory.stat(_ASKED) if self._request.pull else None
        every = self._settings.seconds("REPAIR_EVERY", "1800")
        if found is None or time.time() - found.st_mtime >= every + _LATE_SECONDS:
            return False
        note(f"rests: an ordinary run asked AWS within {every} s")
        self.result = "unchanged"
        return True

    def _is_heard(self) -> bool:
        """The function reads what commands say, and not what State Manager, a timer or an operator ran."""
        return not self._request.pull and self._environment.get("SSM_Program") == "bring"

    def _fetch(self, ask: Callable[[Aws], F], is_as_told: Callable[[F], bool]) -> F:
        """At boot, the metadata service, the role, the network and the time may come later than this program."""
        if not self._request.boot:
            return self._fetch_now(ask, is_as_told, self._deadline)
        deadline = Deadline(max(self._deadline.left() - _PLACING_SECONDS, 0))
        patience = Deadline(self._settings.seconds("BOOT_WAIT", self.boot_wait), deadline)
        while True:
            try:
                return self._fetch_now(ask, is_as_told, deadline)
            except Failure as failure:
                if not passes(failure) or patience.passed():
                    raise
            patience.pause(1)

    def _fetch_now(self, ask: Callable[[Aws], F], is_as_told: Callable[[F], bool], deadline: Deadline) -> F:
        """What AWS holds may be a moment behind the order, or behind in a replica: it is asked again, twice."""
        aws = Aws(self._settings, self._environment, deadline)
        for _ in range(2):
            found = ask(aws)
            if is_as_told(found):
                return found
            deadline.pause(1)
        return ask(aws)

    # ---- The server that runs

    def _live(self, bring: Callable[[], bool]) -> bool:
        """True where something was changed. Where the server does not run, the files take what its next start needs."""
        try:
            return bring()
        except NotRunning as absence:
            self._place_for_start()
            where = f"nothing listens on {self._listeners()}"
            raise Failure("server-not-running", f"{absence}, and {where}; the files are in place for its next start") from None

    def _listeners(self) -> str:
        return " ".join(listener.text for listener in self._server.listeners)

    def _look(self) -> Problem | None:
        """What a load is there to mend gives way to any other problem."""
        mendable: Problem | None = None
        for listener in self._server.listeners:
            problem = self._look_at(listener)
            if problem is not None and problem.code not in self.mendable:
                return problem
            mendable = mendable or problem
        return mendable

    def _refuse_hopeless(self, problem: Problem | None) -> None:
        """No load can mend these, so nothing is touched and nothing is reloaded."""
        if problem is not None and problem.code not in self.mendable:
            absence = self._server.absence(problem)
            raise NotRunning(absence) if absence else Failure(*problem)

    def _prove(self) -> None:
        self._server.look_until(self._look, 3 if self._server.reloaded else 1)
        self._verified = True

    def _bring_back(self, error: BaseException) -> None:
        """The server, to the files that are back. What ran out of time is put right all the same, in time for Run Command."""
        self._server.machine = self._machine._replace(deadline=Deadline(_UNDO_SECONDS))
        try:
            self._server.restore()
        except (Failure, NotRunning, OSError) as trouble:
            if isinstance(error, Failure):
                error.add(f"bringing back what ran before failed: {trouble}")
