"""The story of staples: find the certificates, fetch, check, compare, write, load, prove. What was stapled before stays
stapled until its end, whatever fails; what one certificate lacks holds up no other."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

from .files import Replacement
from .handshake import Problem, is_finished, shake, silence
from .judge import Judge
from .memory import Memory
from .ocsp import words_of
from .places import find_places, staple_in, staple_of
from .result import Failure, note
from .run import Run
from .servers import kinds_that
from .servers.protocol import Waits
from .store import Store
from .withdrawal import Withdrawal

if TYPE_CHECKING:
    from typing import Generator, Mapping, Sequence, Type

    from .clock import Deadline
    from .files import File
    from .request import Request
    from .servers.protocol import Place, Staple, StapleServer
    from .settings import Listener, Settings

HELP = """
staples: has the terminator staple the OCSP responses of SET and proves it by a handshake; STAPLES: all (default) or
ID=SHA256 and ID=withdrawn with commas between. Of a set:
  STORE               default /ticketring/staples/SET
"""
KINDS: Sequence[Type[StapleServer]] = tuple(kinds_that("STAPLES"))


class StapleRun(Run["StapleServer"]):
    mendable = ("verify-no-staple", "verify-wrong-staple", "verify-still-stapled")
    _trouble: Failure | None = None
    _misplaced: Sequence[Place] = ()
    _behind: list[str]
    _stays = False

    def __init__(self, request: Request, settings: Settings, environment: Mapping[str, str], deadline: Deadline) -> None:
        super().__init__(KINDS, request, settings, environment, deadline)
        self._counts = {"installed": 0, "withdrawn": 0, "held": 0}
        # What is to be stapled, by the path of its file: one response, or none. Where this is silent, all stays as it is.
        self._wanted: dict[str, Sequence[Staple]] = {}
        self._files: list[File] = []
        self._changed: list[Place] = []
        # Paths.
        self._amiss: set[str] = set()
        self._mended: set[str] = set()
        self._drifted = 0

    def fields(self) -> dict[str, object]:
        more = {"drifted": self._drifted} if self._drifted else {}
        return {"staples": self._request.name, **super().fields(), **self._counts, **more}

    def run(self) -> None:
        path = self._settings.path("STORE", f"/ticketring/staples/{self._request.name}")
        self._store = Store(path, self._request.order)
        super().run()

    def _apply(self) -> None:
        if self._rests():
            return
        self._places = find_places(self._server, self._object)
        self._judge = Judge(self._server, self._store)
        self._memory = Memory(self._directory)
        self._withdrawal = Withdrawal(self._server, self._memory.paths())
        before = self._read_files()
        self._is_first = not any(before.values())
        changed = None
        try:
            changed = self._apply_all()
        except BaseException as error:
            if not self._stays:
                self._undo(error)
            raise
        finally:
            self._count(before)
            self._remember(changed is not None)
        if self._trouble is not None:
            raise self._trouble
        self.result = "applied" if changed else "unchanged"

    def _object(self, failure: Failure) -> None:
        """One certificate has a problem, the others are served; the run fails in the end."""
        if self._trouble is None:
            self._trouble = failure
        else:
            note(f"{failure.code}: {failure.detail}")

    def _apply_all(self) -> bool:
        """True where something was changed."""
        ids = list(dict.fromkeys(place.leaf.id for place in self._places if self._store.told_of(place.leaf.id)))
        if not ids:
            return False
        self._withdrawal.drop_former(self._places[0], self._object)
        try:
            # After that the store goes before the order, which may have been long under way.
            texts = self._fetch(functools.partial(self._store.read, ids), self._store.is_as_told)
        except Failure as failure:
            # Not by a clock that AWS itself calls wrong.
            for place in self._places if failure.code != "clock-skew" else ():
                with contextlib.suppress(Failure):
                    self._withdrawal.drop_if_due(place, staple_in(place), self._judge.ends)
            raise
        for place in self._places:
            try:
                self._settle(place, texts.get(place.leaf.id))
            except Failure as failure:
                self._object(failure)
        if not self._request.boot:
            return self._live(self._bring)
        with self._replacing() as replacement:
            replacement.place(self._deadline)
        return bool(self._files or self._withdrawal.places)

    # ---- What is counted

    def _remember(self, went_well: bool) -> None:
        """Drift is what a run before proved and was changed meanwhile: the file, or what the server had of it."""
        proved = self._wanted if went_well and not self._request.boot else {}
        drifted = [path for path in self._mended if self._memory.is_proved(path, proved.get(path))]
        if drifted:
            note(f"drift: changed since the run before: {' '.join(drifted)}")
        self._drifted = self._memory.drifted + len(drifted)
        told = went_well and self._is_heard() and self._trouble is None
        paths = {*self._withdrawal.paths(), *(place.path for place in self._places)}
        self._memory.keep(sorted(paths), proved, 0 if told else self._drifted)

    def _read_files(self) -> dict[str, bytes | None]:
        found: dict[str, bytes | None] = {}
        for place in self._places:
            with contextlib.suppress(Failure):
                found[place.path] = place.directory.read(place.name)
        return found

    def _count(self, before: Mapping[str, bytes | None]) -> None:
        pairs = [(before.get(path), now) for path, now in self._read_files().items()]
        self._counts["installed"] = sum(now is not None and now != old for old, now in pairs)
        former = [place for place in self._withdrawal.places if place.path not in before]
        self._counts["withdrawn"] = len(former) + sum(now is None and old is not None for old, now in pairs)
        for place in self._places:
            with contextlib.suppress(Failure):
                self._counts["held"] += staple_in(place) is not None

    # ---- What each certificate is to have

    def _settle(self, place: Place, text: str | None) -> None:
        """What of it is to be put in place, and what has to go."""
        self._withdrawal.find_untold(place)
        for file in self._server.files(place, b""):
            file.forget("new")
        installed = staple_in(place)
        try:
            wanted = self._judge.judge(place, text, installed)
        except Failure as failure:
            self._object(failure)
            wanted = None
        if self._withdrawal.drop_if_due(place, installed, self._judge.ends):
            wanted = wanted or []
        if wanted is None:
            return
        self._wanted[place.path] = wanted
        files = [file for file in self._server.files(place, wanted[0].der if wanted else None) if not file.in_place()]
        self._files += files
        self._changed += [place] if files else []

    # ---- Applying

    def _bring(self) -> bool:
        missing = [staple.place for staple in self._server.missing(self._staples(self._places))]
        problem = self._look()
        self._refuse_hopeless(problem)
        changed = False
        self._mended = {place.path for place in [*missing, *self._changed]} | self._amiss
        if self._files or self._withdrawal.places or self._withdrawal.untold or missing or problem is not None:
            changed = self._load(missing, problem)
            self._withdrawal.forget()
        self._verified = True
        self._say_unseen()
        if self._unforgotten:
            self._object(Failure("verify-still-stapled", self._unforgotten))
        return changed

    def _staples(self, places: Sequence[Place]) -> list[Staple]:
        """What of them is to be stapled."""
        return [staple for place in places for staple in self._wanted.get(place.path, ())]

    def _load(self, missing: Sequence[Place], problem: Problem | None) -> bool:
        server = self._server
        gone = any(file.data is None for file in self._files) or problem is not None and problem.code == "verify-still-stapled"
        dropped = self._withdrawal.places
        places = {place.path: place for place in [*missing, *self._changed, *dropped] or self._places}
        server.urgent = gone or bool(dropped) or self._is_first
        with server.turn(), self._replacing() as replacement:
            replacement.place(self._deadline)
            for staple, words in server.load(self._staples([*places.values()]), gone or dropped != []):
                self._take_back(replacement, staple.place, words)
            self._prove()
        return bool(self._files or dropped) or server.loaded

    def _take_back(self, replacement: Replacement, place: Place, words: str) -> None:
        """The others go on; this one has what it had."""
        self._object(Failure("staple-refused", f"not taken for {place.certificate}: {words}"))
        del self._wanted[place.path]
        for file in self._files:
            if file.path == place.path:
                replacement.give_back(file)

    @contextlib.contextmanager
    def _replacing(self) -> Generator[Replacement, None, None]:
        """New files; all undone where the body fails."""
        replacement = Replacement(self._files, 0o444, self._server.owner)
        try:
            yield replacement
        except Waits:
            self._stays = True
            replacement.keep()
            raise
        except BaseException:
            replacement.undo()
            raise
        replacement.keep()

    def _place_for_start(self) -> None:
        with self._replacing() as replacement:
            replacement.place(self._deadline)
        self._stays = True

    def _undo(self, error: BaseException) -> None:
        """The files are back, but for what goes whatever else fails."""
        server, code = self._server, getattr(error, "code", "")
        for place in self._misplaced if code == "verify-wrong-staple" else ():
            with contextlib.suppress(Failure):
                self._withdrawal.drop(place, "the server gives it with another certificate")
        touched = (server.reloaded or server.loaded) and code != "config-test-failed"
        if touched or self._withdrawal.is_owed() and not self._request.boot:
            self._bring_back(error)

    # ---- Proof

    def _look(self) -> Problem | None:
        self._seen, self._unforgotten, self._misplaced, self._behind = set[str](), "", [], []
        self._amiss = set()
        return super()._look()

    def _look_at(self, listener: Listener) -> Problem | None:
        seen = shake(listener, self._deadline, ("-status",), is_finished)
        if seen.leaf == b"" or not (seen.finished or seen.asked):
            return silence(seen, f"{listener.text}: wanted a certificate")
        owners = [staple.place for staple in self._staples(self._places) if staple.der == seen.staple]
        if owners and all(owner.leaf.der != seen.leaf for owner in owners):
            # A client refuses it: nginx gives the one response of a server with each of its certificates.
            self._misplaced = owners
            shown = f"{listener.text}: wanted the response for {owners[0].certificate} with that certificate alone"
            return Problem("verify-wrong-staple", f"{shown}, got it with another")
        place = next((place for place in self._places if place.leaf.der == seen.leaf), None)
        if place is None:
            return None
        self._seen.add(place.leaf.id)
        return self._judge_shown(listener, place, seen.staple)

    def _judge_shown(self, listener: Listener, place: Place, der: bytes) -> Problem | None:
        wanted = self._wanted.get(place.path)
        if wanted is None or der == (wanted[0].der if wanted else b""):
            return None
        found: Staple | None = None
        with contextlib.suppress(ValueError):
            found = staple_of(place, der)
        response = "the delivered" if wanted else "no"
        shown = f"{listener.text}: wanted {response} response for {place.certificate}, got {_words_for(der, found)}"
        kept = self._server.keeps(found, wanted != []) if der else ""
        if not kept:
            self._amiss.add(place.path)
            code = "verify-still-stapled" if not wanted else "verify-wrong-staple" if der else "verify-no-staple"
            return Problem(code, shown)
        # Said, but nothing that waiting mends.
        shown = f"{shown}; {kept}"
        if wanted and found and found.single.status == wanted[0].single.status:
            self._behind.append(shown)
        else:
            self._unforgotten = shown
        return None

    def _say_unseen(self) -> None:
        """A certificate that no listener presents was put in place, which is not the same as proved."""
        for place in self._places:
            if place.path in self._wanted and place.leaf.id not in self._seen:
                note(f"no listener of {self._listeners()} presents the certificate in {place.certificate}")
                self._verified = False
        for words in self._behind:
            note(words)
            self._verified = False


def _words_for(der: bytes, staple: Staple | None) -> str:
    """What was shown in the place of a response."""
    if staple is None:
        return "another certificate's" if der else "none"
    until = staple.single.next_update
    return f"one of {words_of(staple.single.this_update)}{f' until {words_of(until)}' if until else ''}"
