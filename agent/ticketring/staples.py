"""The story of staples: find the certificates, fetch, check, compare, write, load, prove. What was stapled before stays
stapled until its end, whatever fails; what one certificate lacks holds up no other."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import time
from typing import TYPE_CHECKING

from .aws import Refused
from .clock import Deadline
from .directory import Directory
from .entry import check, parse_entry
from .files import Replacement
from .handshake import Problem, is_finished, shake, silence
from .ocsp import words_of
from .places import find_places, staple_in, staple_of
from .result import Failure, note
from .run import Run
from .servers import kinds_that
from .servers.protocol import Waits

if TYPE_CHECKING:
    from typing import Generator, Mapping, Sequence, Type

    from .aws import Aws
    from .files import File
    from .request import Request
    from .servers.protocol import Place, Staple, StapleServer
    from .settings import Listener, Settings

HELP = """Of a set:
  STORE               default /ticketring/staples/SET
"""
KINDS: Sequence[Type[StapleServer]] = tuple(kinds_that("STAPLES"))
# As Parameter Store permits.
_NAMES_PER_CALL = 10
# What OpenSSL and every server allow.
_SKEW = 300
# A server starts without staples too: it is not kept waiting for longer.
_BOOT_SECONDS = 55
_UNDO_SECONDS = 15


class StapleRun(Run["StapleServer"]):
    mendable = ("verify-no-staple", "verify-wrong-staple", "verify-still-stapled")

    def __init__(self, request: Request, settings: Settings, environment: Mapping[str, str], deadline: Deadline) -> None:
        within = Deadline(_BOOT_SECONDS, deadline) if request.boot else deadline
        super().__init__(KINDS, request, settings, environment, within)
        self._told = dict(word.split("=") for word in request.order.split(",")) if request.order != "all" else None
        self._counts = {"installed": 0, "withdrawn": 0, "held": 0}
        self._trouble: Failure | None = None
        self._places: list[Place] = []
        # What is to be stapled, by the path of its file: one response, or none. Where this is silent, all stays as it is.
        self._wanted: dict[str, Sequence[Staple]] = {}
        self._ends: dict[bytes, int] = {}
        self._files: list[File] = []
        self._changed: list[Place] = []
        self._dropped: list[Place] = []
        self._untold: list[File] = []
        self._misplaced: list[Place] = []
        self._named: list[str] = []
        self._stays = False

    def fields(self) -> dict[str, object]:
        return {"staples": self._request.name, **super().fields(), **self._counts}

    def run(self) -> None:
        self._store = self._settings.path("STORE", f"/ticketring/staples/{self._request.name}")
        super().run()

    def _apply(self) -> None:
        self._places = find_places(self._server, self._object)
        before = self._read_files()
        try:
            changed = self._apply_all()
        except BaseException as error:
            if not self._stays:
                self._undo(error)
            raise
        finally:
            self._count(before)
            self._remember()
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
        ids = list(dict.fromkeys(place.leaf.id for place in self._places if self._told_of(place.leaf.id)))
        if not ids:
            return False
        self._drop_former()
        try:
            # After that the store goes before the order, which may have been long under way.
            texts = self._fetch(functools.partial(self._read_store, ids), functools.partial(self._are_as_told, ids))
        except Failure as failure:
            # Not by a clock that AWS itself calls wrong.
            for place in self._places if failure.code != "clock-skew" else ():
                with contextlib.suppress(Failure):
                    self._drop_if_due(place, staple_in(place))
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
        return bool(self._files or self._dropped)

    # ---- What is counted

    def _read_files(self) -> dict[str, bytes | None]:
        found: dict[str, bytes | None] = {}
        for place in self._places:
            with contextlib.suppress(Failure):
                found[place.path] = place.directory.read(place.name)
        return found

    def _count(self, before: Mapping[str, bytes | None]) -> None:
        pairs = [(before.get(path), now) for path, now in self._read_files().items()]
        self._counts["installed"] = sum(now is not None and now != old for old, now in pairs)
        former = [place for place in self._dropped if place.path not in before]
        self._counts["withdrawn"] = len(former) + sum(now is None and old is not None for old, now in pairs)
        for place in self._places:
            with contextlib.suppress(Failure):
                self._counts["held"] += staple_in(place) is not None

    # ---- The store

    def _told_of(self, certificate: str) -> str:
        """All, the SHA-256 of a response, withdrawn, or nothing where it is not named."""
        return "all" if self._told is None else self._told.get(certificate, "")

    def _read_store(self, ids: Sequence[str], aws: Aws) -> Mapping[str, str]:
        texts: dict[str, str] = {}
        for at in range(0, len(ids), _NAMES_PER_CALL):
            names = {f"{self._store}/{each}": each for each in ids[at : at + _NAMES_PER_CALL]}
            try:
                found = aws.call("ssm", "AmazonSSM.GetParameters", {"Names": list(names)}).get("Parameters")
            except Refused as refused:
                wanted = f"wanted GetParameters of {self._store} in {aws.region}"
                raise Failure("endpoint-unreachable", f"{wanted}; {refused.said}") from None
            for parameter in _objects(found):
                name, value = parameter.get("Name"), parameter.get("Value")
                if isinstance(name, str) and isinstance(value, str) and name in names:
                    texts[names[name]] = value
        return texts

    def _are_as_told(self, ids: Sequence[str], texts: Mapping[str, str]) -> bool:
        return all(self._is_as_told(each, texts.get(each)) for each in ids)

    def _is_as_told(self, certificate: str, text: str | None) -> bool:
        told = self._told_of(certificate)
        try:
            return told == "all" or told == (text and parse_entry(text, certificate).digest or "withdrawn")
        except ValueError:
            return False

    # ---- What each certificate is to have

    def _settle(self, place: Place, text: str | None) -> None:
        """What of it is to be put in place, and what has to go."""
        for file in self._server.files(place, b""):
            # A run that was killed left it: its server may not have been told.
            if file.directory.stat(file.neighbour("old")) is not None:
                self._untold.append(file)
            file.forget("new")
        installed = staple_in(place)
        try:
            wanted = self._judge(place, text, installed)
        except Failure as failure:
            self._object(failure)
            wanted = None
        if self._drop_if_due(place, installed):
            wanted = wanted or []
        if wanted is None:
            return
        self._wanted[place.path] = wanted
        files = [file for file in self._server.files(place, wanted[0].der if wanted else None) if not file.in_place()]
        self._files += files
        self._changed += [place] if files else []

    def _judge(self, place: Place, text: str | None, installed: Staple | None) -> Sequence[Staple] | None:
        """None where it keeps what it has."""
        where, told = f"{self._store}/{place.leaf.id}", self._told_of(place.leaf.id)
        if told == "" or text is None:
            if told not in ("", "all", "withdrawn"):
                raise Failure("staple-not-stored", f"wanted {where}, Parameter Store has none")
            return [] if told == "withdrawn" else None
        try:
            entry = parse_entry(text, place.leaf.id)
            if entry.state != "staple":
                return []
            staple = staple_of(place, entry.der)
            if staple is not None:
                check(entry, staple.single)
        except ValueError as error:
            wanted = f"wanted an entry of version 1 with an OCSP response in {where}"
            raise Failure("staple-malformed", f"{wanted}, found {error}") from None
        if staple is None:
            wanted = f"wanted a response for {place.certificate} (serial {place.leaf.shown_serial})"
            raise Failure("staple-wrong-certificate", f"{wanted}, {where} holds one for another")
        self._refuse_untimely(staple, entry.end)
        objection = self._server.objection(place, entry.haproxy)
        if objection:
            raise Failure("staple-refused", objection)
        self._refuse_mismatch(staple, installed, told, entry.digest)
        return [staple]

    def _refuse_untimely(self, staple: Staple, end: int) -> None:
        now, least, single = time.time(), self._server.least, staple.single
        # The store may name an earlier end than the response does, or one where that has none.
        last = self._ends[staple.der] = min(single.next_update or end, end)
        if single.this_update > now + _SKEW:
            said = f"the response of {staple.place.certificate} begins {words_of(single.this_update)}"
            raise Failure("clock-skew", f"the clock here says {words_of(int(now))}, {said}")
        if last <= now + least:
            wanted = f"wanted a response for {staple.place.certificate} with more than {least} s left"
            raise Failure("staple-expired", f"{wanted}, its end is {words_of(last)}")

    def _refuse_mismatch(self, staple: Staple, installed: Staple | None, told: str, digest: str) -> None:
        """Never an older response for a newer one."""
        certificate, begins = staple.place.certificate, staple.single.this_update
        since = installed.single.this_update if installed else begins
        if begins < since:
            than = f"{staple.place.path}, which is of {words_of(since)}"
            raise Failure("staple-mismatch", f"the store holds an older response for {certificate} than {than}")
        if told in ("all", digest):
            return
        # A store that has gone on since the order is fine; that it has, and not stayed behind, shows beside what is in place.
        if told != "withdrawn" and begins == since and not (installed and told == hashlib.sha256(installed.der).hexdigest()):
            raise Failure("staple-mismatch", f"told {told} for {certificate}, the store holds {digest}")
        note(f"told {told}, the store holds {digest} since")

    # ---- What goes whatever else fails

    def _drop_if_due(self, place: Place, installed: Staple | None) -> bool:
        """What has ended; where the server staples whatever is there, what is not of this certificate either."""
        if installed is not None:
            end = self._ends.get(installed.der, installed.single.next_update)
            is_due = end is not None and end <= time.time()
        else:
            files = self._server.files(place, None)
            is_due = self._server.heedless and any(file.directory.stat(file.name) is not None for file in files)
        if is_due:
            self._drop(place, "it has come to its end, or is not of its certificate")
        return is_due

    def _drop_former(self) -> None:
        """Staples that the settings do not name any more: a heedless server would give them for ever."""
        named = [path for _, path, _ in self._server.places()] if self._server.heedless else []
        before = (self._directory.read("places") or b"").decode("ascii", "replace").split()
        for path in before:
            folder, _, name = path.rpartition("/")
            if path in named or not os.path.isdir(folder):
                continue
            try:
                place = self._places[0]._replace(certificate="", directory=Directory(folder), name=name)
                self._drop(place, "the settings do not name it any more")
            except Failure as failure:
                self._object(failure)
                named.append(path)
        self._named = named if named != before else []

    def _remember(self) -> None:
        """For the run that finds one of them named no more. Where there is no room for it, the next run writes it."""
        if self._named:
            with contextlib.suppress(Failure):
                self._directory.write_new("places.new", "\n".join(self._named).encode("ascii"), 0o600)
                self._directory.rename("places.new", "places")

    def _drop(self, place: Place, why: str) -> None:
        """Nothing brings it back. Until the server is told, the file lies there by another name, for the next run to see."""
        files = [file for file in self._server.files(place, None) if file.directory.stat(file.name) is not None]
        if not files:
            return
        note(f"withdrawing {place.path}: {why}")
        for file in files:
            if self._server.heedless:
                file.directory.rename(file.name, file.neighbour("old"))
                self._untold.append(file)
            else:
                file.directory.remove(file.name)
        self._dropped.append(place)

    # ---- Applying

    def _bring(self) -> bool:
        missing = [staple.place for staple in self._server.missing(self._staples(self._places))]
        problem = self._look()
        self._refuse_hopeless(problem)
        changed = False
        if self._files or self._dropped or self._untold or missing or problem is not None:
            changed = self._load(missing, problem)
            for file in self._untold:
                file.forget("old")
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
        forget = (gone or self._dropped != []) and not server.keeps()
        places = [*missing, *self._changed, *self._dropped] or self._places
        with server.turn(), self._replacing() as replacement:
            replacement.place(self._deadline)
            for staple, words in server.load(self._staples(list({place.path: place for place in places}.values())), forget):
                self._take_back(replacement, staple.place, words)
            self._prove()
        return bool(self._files or self._dropped) or server.loaded

    def _take_back(self, replacement: Replacement, place: Place, words: str) -> None:
        """The others go on; this one has what it had."""
        self._object(Failure("staple-refused", f"HAProxy does not take the response of {place.certificate}: {words}"))
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
                self._drop(place, "the server gives it with another certificate")
        touched = (server.reloaded or server.loaded) and code != "config-test-failed"
        if touched or self._dropped and server.heedless and not self._request.boot:
            self._bring_back(error)

    def _bring_back(self, error: BaseException) -> None:
        # What ran out of time is put right all the same, before Run Command ends it.
        self._server.machine = self._machine._replace(deadline=Deadline(_UNDO_SECONDS))
        super()._bring_back(error)

    # ---- Proof

    def _look(self) -> Problem | None:
        self._seen, self._unforgotten, self._misplaced = set[str](), "", []
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
        response = "the delivered" if wanted else "no"
        shown = f"{listener.text}: wanted {response} response for {place.certificate}, got {_words_for(place, der)}"
        if wanted:
            return Problem("verify-wrong-staple" if der else "verify-no-staple", shown)
        if not self._server.keeps():
            return Problem("verify-still-stapled", shown)
        # Said, but nothing that waiting mends.
        self._unforgotten = f"{shown}; {self._server.keeps()}"
        return None

    def _say_unseen(self) -> None:
        """A certificate that no listener presents was put in place, which is not the same as proved."""
        for place in self._places:
            if place.path in self._wanted and place.leaf.id not in self._seen:
                note(f"no listener of {self._listeners()} presents the certificate in {place.certificate}")
                self._verified = False


def _objects(found: object) -> list[dict[str, object]]:
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []  # pyright: ignore[reportUnknownVariableType]


def _words_for(place: Place, der: bytes) -> str:
    """What was shown in the place of a response."""
    if der == b"":
        return "none"
    with contextlib.suppress(ValueError):
        staple = staple_of(place, der)
        if staple is not None:
            until = staple.single.next_update
            return f"one of {words_of(staple.single.this_update)}{f' until {words_of(until)}' if until else ''}"
    return "another certificate's"
