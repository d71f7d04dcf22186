"""The story of staples: find the certificates, fetch, check, compare, write, load, prove. What was stapled before stays
stapled until its end, whatever fails; what one certificate lacks holds up no other."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import time
from typing import TYPE_CHECKING, NamedTuple

from .aws import Refused
from .clock import Deadline
from .directory import Directory
from .entry import Entry, parse_entry
from .files import Replacement, read_public
from .handshake import Problem, is_finished, shake, silence
from .ocsp import Response, find_issuer, read_pem, words_of
from .result import Failure, note, reason
from .run import Run
from .servers.haproxy import HaproxyStaples
from .servers.nginx import NginxStaples
from .servers.protocol import Place, Staple, Waits

if TYPE_CHECKING:
    from typing import Generator, Mapping, Sequence, Type

    from .aws import Aws
    from .files import File
    from .ocsp import Certificate, Single
    from .servers.protocol import StapleServer
    from .settings import Listener, Settings

KINDS: Sequence[Type[StapleServer]] = (HaproxyStaples, NginxStaples)
# As Parameter Store permits.
_NAMES_PER_CALL = 10
# What OpenSSL and every server allow.
_SKEW = 300
# A server starts without staples too: it is not kept waiting for longer.
_BOOT_SECONDS = 55
_UNDO_SECONDS = 15


class Request(NamedTuple):
    set: str
    staples: str
    boot: bool


class Wish(NamedTuple):
    """What a certificate is to have: the response (staple), none (absent) or what it has (keep)."""

    state: str
    entry: Entry = Entry("none")
    response: Response | None = None
    single: Single | None = None


_KEEP = Wish("keep")


class Installed(NamedTuple):
    """What a certificate has in its file."""

    digest: str
    single: Single
    overdue: bool


class StapleRun(Run["StapleServer"]):
    mendable = ("verify-no-staple", "verify-wrong-staple", "verify-still-stapled")

    def __init__(self, request: Request, settings: Settings, environment: Mapping[str, str], deadline: Deadline) -> None:
        within = Deadline(_BOOT_SECONDS, deadline) if request.boot else deadline
        super().__init__(KINDS, f"{request.set}.staples", request.boot, settings, environment, within)
        self._set = request.set
        self._installed = self._withdrawn = self._held = 0
        self._stays = False
        self._trouble: Failure | None = None
        self._places: list[Place] = []
        self._wishes: dict[str, Wish] = {}
        self._ended: set[str] = set()
        self._files: list[File] = []
        self._changed: list[Place] = []
        self._untold: list[File] = []
        self._told = dict(word.split("=") for word in request.staples.split(",")) if request.staples != "all" else None

    def fields(self) -> dict[str, object]:
        counts = {"installed": self._installed, "withdrawn": self._withdrawn, "held": self._held}
        return {"staples": self._set, **super().fields(), **counts}

    def run(self) -> None:
        self._store = self._settings.path("STORE", f"/ticketring/staples/{self._set}")
        super().run()

    def _apply(self) -> None:
        try:
            changed = self._apply_all()
        except BaseException as error:
            if not self._stays:
                self._undo(error)
            raise
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
        self._find_places()
        named = list({place.leaf.id: place for place in reversed(self._places) if self._is_named(place)}.values())[::-1]
        if not named:
            return False
        ids = [place.leaf.id for place in named]
        # After that the store goes before the order, which may have been long under way.
        texts = self._fetch(functools.partial(self._read_store, ids), functools.partial(self._are_as_told, ids))
        for place in named:
            try:
                self._wishes[place.leaf.id] = self._judge(place, texts.get(place.leaf.id))
            except Failure as failure:
                self._set_keep(place, failure)
        for place in self._places:
            try:
                self._compare(place)
            except Failure as failure:
                self._set_keep(place, failure)
        if not self._is_boot:
            return self._live(lambda: self._bring(named))
        with self._replacing() as replacement:
            replacement.place(self._deadline)
        return bool(self._files)

    # ---- The certificates of this machine

    def _find_places(self) -> None:
        directories: dict[str, Directory] = {}
        taken: dict[str, str] = {}
        for certificate, staple, is_named in self._server.places():
            try:
                chain = read_pem(read_public(certificate))
                leaf, issuer = chain[0], find_issuer(chain[0], [*chain, *_read_issuers(f"{certificate}.issuer")])
            except (OSError, ValueError) as error:
                why = reason(error) if isinstance(error, OSError) else str(error)
                if is_named:
                    wanted = f"wanted a certificate of a positive serial number in {certificate}"
                    self._object(Failure("certificate-unreadable", f"{wanted}, found none to read: {why}"))
                else:
                    note(f"leaving out {certificate}: it begins with no certificate that can be read: {why}")
                continue
            if taken.setdefault(staple, leaf.id) != leaf.id:
                raise Failure("config-invalid", f"wanted a staple's file for each certificate, found {staple} for two")
            folder, _, name = staple.rpartition("/")
            try:
                directories[folder] = directories.get(folder) or Directory(folder, make=True)
            except Failure as failure:
                self._object(Failure(failure.code, f"{certificate}: {failure.detail}"))
                continue
            place = Place(certificate, leaf, issuer, directories[folder], name)
            if all(other.path != place.path for other in self._places):
                self._places.append(place)

    def _told_of(self, certificate: str) -> str:
        """All, the SHA-256 of a response, withdrawn, or nothing where it is not named."""
        return "all" if self._told is None else self._told.get(certificate, "")

    def _is_named(self, place: Place) -> bool:
        return self._told_of(place.leaf.id) != ""

    # ---- The store

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
        if told == "all" or text is None:
            return told in ("all", "withdrawn")
        try:
            entry = parse_entry(text, certificate)
        except ValueError:
            return False
        return entry.digest == told if entry.state == "staple" else told == "withdrawn"

    # ---- What is wanted

    def _judge(self, place: Place, text: str | None) -> Wish:
        where, told = f"{self._store}/{place.leaf.id}", self._told_of(place.leaf.id)
        if text is None:
            if told not in ("all", "withdrawn"):
                raise Failure("staple-not-stored", f"wanted {where}, Parameter Store has none")
            return Wish("absent") if told == "withdrawn" else _KEEP
        try:
            entry = parse_entry(text, place.leaf.id)
        except ValueError as error:
            raise Failure("staple-malformed", f"wanted an entry of version 1 in {where}, found {error}") from None
        return Wish("absent") if entry.state != "staple" else self._judge_response(place, entry, where)

    def _judge_response(self, place: Place, entry: Entry, where: str) -> Wish:
        try:
            response = Response(entry.der)
        except ValueError as error:
            raise Failure("staple-malformed", f"wanted an OCSP response in {where}, found {error}") from None
        single = next((each for each in response.singles if each.names(place.leaf, place.issuer)), None)
        if single is None:
            wanted = f"wanted a response for {place.certificate} (serial {place.leaf.shown_serial})"
            raise Failure("staple-wrong-certificate", f"{wanted}, {where} holds one for another")
        self._judge_time(place, entry, single, where)
        return Wish("staple", entry, response, single)

    def _judge_time(self, place: Place, entry: Entry, single: Single, where: str) -> None:
        now, least = time.time(), self._server.least
        last = entry.end if single.next_update is None else min(single.next_update, entry.end)
        if single.this_update != entry.this_update:
            shown = f"{words_of(single.this_update)} in {where}, found {words_of(entry.this_update)}"
            raise Failure("staple-malformed", f"wanted thisUpdate {shown}")
        if single.status == "unknown":
            raise Failure("staple-malformed", f"wanted the status good or revoked in {where}, found unknown")
        if single.this_update > now + _SKEW:
            said = f"the response of {place.certificate} begins {words_of(single.this_update)}"
            raise Failure("clock-skew", f"the clock here says {words_of(int(now))}, {said}")
        if last <= now + least:
            if last <= now:
                self._ended.add(entry.digest)
            wanted = f"wanted a response for {place.certificate} with more than {least} s left"
            raise Failure("staple-expired", f"{wanted}, its end is {words_of(last)}")

    # ---- What is in place

    def _read_installed(self, place: Place) -> Installed | None:
        """None too for what is not of this certificate, such as the file of one that was renewed since."""
        data = place.directory.read(place.name) or b""
        try:
            singles = Response(data).singles
        except ValueError:
            return None
        single = next((each for each in singles if each.names(place.leaf, place.issuer)), None)
        if single is None:
            return None
        digest = hashlib.sha256(data).hexdigest()
        # The store may name an earlier end than the response does, or one where that has none.
        overdue = single.next_update is not None and single.next_update <= time.time() or digest in self._ended
        return Installed(digest, single, overdue)

    def _compare(self, place: Place) -> None:
        """What is to be put in place or to go. Never an older response for a newer one."""
        for file in self._server.files(place, b""):
            # A run that was killed left it: its server may not have been told.
            if file.directory.stat(file.neighbour("old")) is not None:
                self._untold.append(file)
            file.forget("new")
        installed = self._read_installed(place)
        wish = self._wishes.get(place.leaf.id, _KEEP)
        if wish.state == "staple":
            try:
                self._refuse(place, wish, installed)
            except Failure as failure:
                wish = self._set_keep(place, failure)
        if wish.state == "staple":
            self._change(place, wish.entry.der)
            self._held += 1
            self._installed += installed is None or installed.digest != wish.entry.digest
        elif wish.state == "absent" or self._must_go(place, installed):
            if wish.state == "keep":
                note(f"{place.path} has come to its end, or is not of this certificate")
                self._wishes[place.leaf.id] = Wish("absent")
            self._withdrawn += self._change(place, None)
        elif installed is not None:
            self._held += 1

    def _must_go(self, place: Place, installed: Installed | None) -> bool:
        """What has ended; where the server staples whatever is there, what is not of this certificate either."""
        if installed is not None:
            return installed.overdue
        files = self._server.files(place, b"")
        return self._server.heedless and any(file.directory.stat(file.name) is not None for file in files)

    def _set_keep(self, place: Place, failure: Failure) -> Wish:
        self._object(failure)
        self._wishes[place.leaf.id] = _KEEP
        return _KEEP

    def _change(self, place: Place, der: bytes | None) -> bool:
        files = [file for file in self._server.files(place, der) if not file.in_place()]
        self._files += files
        if files:
            self._changed.append(place)
        return bool(files)

    def _refuse(self, place: Place, wish: Wish, installed: Installed | None) -> None:
        words = self._server.objection(place, wish.entry.haproxy)
        if words:
            raise Failure("staple-refused", words)
        is_newer = installed is not None and wish.entry.this_update > installed.single.this_update
        if installed is not None and wish.entry.this_update < installed.single.this_update:
            since = f"{place.path}, which is of {words_of(installed.single.this_update)}"
            raise Failure("staple-mismatch", f"the store holds an older response for {place.certificate} than {since}")
        told = self._told_of(place.leaf.id)
        if told in ("all", wish.entry.digest):
            return
        # A store that has gone on since the order is fine; that it has, and not stayed behind, shows beside what is in place.
        if is_newer or told == "withdrawn" or installed is not None and told == installed.digest:
            note(f"told {told}, the store holds {wish.entry.digest} since")
            return
        raise Failure("staple-mismatch", f"told {told} for {place.certificate}, the store holds {wish.entry.digest}")

    # ---- Applying

    def _bring(self, named: Sequence[Place]) -> bool:
        missing = [staple.place for staple in self._server.missing(self._staples(self._places))]
        problem = self._look()
        self._refuse_hopeless(problem)
        changed = False
        if self._files or missing or problem is not None or self._untold:
            changed = self._load(missing, problem)
            for file in self._untold:
                file.forget("old")
        self._verified = True
        self._say_unseen(named)
        if self._unforgotten:
            self._object(Failure("verify-still-stapled", self._unforgotten))
        return changed

    def _staples(self, places: Sequence[Place]) -> list[Staple]:
        """What of them is to be stapled."""
        found: list[Staple] = []
        for place in places:
            wish = self._wishes.get(place.leaf.id, _KEEP)
            if wish.state == "staple" and wish.response is not None and wish.single is not None:
                found.append(Staple(place, wish.entry.der, wish.response, wish.single))
        return found

    def _load(self, missing: Sequence[Place], problem: Problem | None) -> bool:
        server = self._server
        gone = any(file.data is None for file in self._files) or problem is not None and problem.code == "verify-still-stapled"
        wanted = [*missing, *(place for place in self._changed if place not in missing)]
        with server.turn(), self._replacing() as replacement:
            replacement.place(self._deadline)
            for staple, words in server.load(self._staples(wanted or self._places), gone and not server.keeps()):
                self._take_back(replacement, staple.place, words)
            self._prove()
        return bool(self._files) or server.loaded

    def _take_back(self, replacement: Replacement, place: Place, words: str) -> None:
        """The others go on; this one has what it had."""
        refusal = f"HAProxy does not take the response of {place.certificate}: {words}"
        self._set_keep(place, Failure("staple-refused", refusal))
        for file in self._server.files(place, b""):
            if file.path in (each.path for each in self._files):
                replacement.give_back(file)
                self._installed -= 1
                self._held -= file.directory.stat(file.name) is None

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
        """The files are back. What has come to its end goes, even if nothing else succeeds; nginx staples it for ever."""
        self._installed = self._withdrawn = self._held = 0
        code, dropped = getattr(error, "code", ""), False
        for place in self._places:
            with contextlib.suppress(Failure):
                dropped = self._drop_if_overdue(place, code) or dropped
        server = self._server
        touched = (server.reloaded or server.loaded) and code != "config-test-failed"
        if touched or dropped and server.kind == "nginx" and not self._is_boot:
            self._bring_back(error)

    def _drop_if_overdue(self, place: Place, code: str) -> bool:
        installed = self._read_installed(place)
        # Not by a clock that AWS itself calls wrong.
        if not self._must_go(place, installed) or installed is not None and code == "clock-skew":
            self._held += installed is not None
            return False
        note(f"{place.path} has come to its end, or is not of this certificate")
        for file in self._server.files(place, None):
            file.directory.remove(file.name)
        self._withdrawn += 1
        return True

    def _bring_back(self, error: BaseException) -> None:
        # What ran out of time is put right all the same, before Run Command ends it.
        self._server.machine = self._machine._replace(deadline=Deadline(_UNDO_SECONDS))
        super()._bring_back(error)

    # ---- Proof

    def _look(self) -> Problem | None:
        self._seen, self._unforgotten = set[str](), ""
        return super()._look()

    def _look_at(self, listener: Listener) -> Problem | None:
        seen = shake(listener, self._deadline, ("-status",), is_finished)
        if seen.leaf == b"" or not (seen.finished or seen.asked):
            return silence(seen, f"{listener.text}: wanted a certificate")
        place = next((place for place in self._places if place.leaf.der == seen.leaf and self._is_named(place)), None)
        owners = [staple.place for staple in self._staples(self._places) if staple.der == seen.staple]
        if owners and all(owner.leaf.der != seen.leaf for owner in owners):
            # A client refuses it: nginx gives the one response of a server with each of its certificates.
            shown = f"{listener.text}: wanted the response for {owners[0].certificate} with that certificate alone"
            return Problem("verify-wrong-staple", f"{shown}, got it with another")
        if place is None:
            return None
        self._seen.add(place.leaf.id)
        wish = self._wishes[place.leaf.id]
        if wish.state == "staple" and seen.staple != wish.entry.der:
            wanted = f"{listener.text}: wanted the delivered response for {place.certificate}"
            if seen.staple == b"":
                return Problem("verify-no-staple", f"{wanted}, got none")
            return Problem("verify-wrong-staple", f"{wanted}, got one of {_times_of(seen.staple, place)[0]}")
        if wish.state == "absent" and seen.staple != b"":
            shown = f"{listener.text}: wanted no response for {place.certificate}"
            problem = Problem("verify-still-stapled", f"{shown}, got one until {_times_of(seen.staple, place)[1]}")
            if not self._server.keeps():
                return problem
            # Said, but nothing that waiting mends.
            self._unforgotten = f"{problem.detail}; {self._server.keeps()}"
        return None

    def _say_unseen(self, named: Sequence[Place]) -> None:
        """A certificate that no listener presents was put in place, which is not the same as proved."""
        for place in named:
            if self._wishes[place.leaf.id].state != "keep" and place.leaf.id not in self._seen:
                note(f"no listener of {self._listeners()} presents the certificate in {place.certificate}")
                self._verified = False


def _read_issuers(path: str) -> Sequence[Certificate]:
    try:
        return read_pem(read_public(path))
    except (OSError, ValueError):
        return []


def _objects(found: object) -> list[dict[str, object]]:
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []  # pyright: ignore[reportUnknownVariableType]


def _times_of(der: bytes, place: Place) -> tuple[str, str]:
    """When a response of this certificate begins and ends."""
    try:
        single = next(each for each in Response(der).singles if each.serial == place.leaf.serial)
    except (ValueError, StopIteration):
        return ("another certificate", "another certificate's end")
    return (words_of(single.this_update), words_of(single.next_update) if single.next_update is not None else "its end")
