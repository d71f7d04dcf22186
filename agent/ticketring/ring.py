"""The story of a ring: fetch, check, compare, write, load, prove. Whatever fails, what ran before runs on."""

from __future__ import annotations

import contextlib
import functools
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from .aws import Refused
from .clock import Deadline
from .files import Replacement, file_system, warn_of_swap
from .handshake import Problem, shake, silence
from .keys import parse_ring
from .result import Failure, note
from .run import Run
from .servers.haproxy import HaproxyKeys
from .servers.nginx import NginxKeys
from .settings import parse_listener

if TYPE_CHECKING:
    from typing import Generator, Mapping, Sequence, Type

    from .aws import Aws
    from .directory import Directory
    from .handshake import Handshake
    from .keys import Ring
    from .servers.protocol import KeyServer
    from .settings import Listener, Settings

KINDS: Sequence[Type[KeyServer]] = (HaproxyKeys, NginxKeys)
_STATE = re.compile(r"1 ([0-9a-f-]{36}) ([1-9][0-9]{0,11}) ([0-9a-f]{32}) ([0-9a-f]{32}) ([0-9a-f]{32})\n")
_OLD_TICKET = re.compile(r"ticket\.(.+)\.([0-9a-f]{32})")
_HOUR = 3600


class Request(NamedTuple):
    ring: str
    generation: int
    boot: bool


class State(NamedTuple):
    """What this machine ran last; no secret."""

    lineage: str
    generation: int
    names: tuple[str, ...]


class RingRun(Run["KeyServer"]):
    mendable = ("verify-wrong-key",)

    def __init__(self, request: Request, settings: Settings, environment: Mapping[str, str], deadline: Deadline) -> None:
        super().__init__(KINDS, request.ring, request.boot, settings, environment, deadline)
        self._request = request
        self._lineage, self._generation, self._seen, self._loaded = "", 0, "", False

    def fields(self) -> dict[str, object]:
        told = {"ring": self._request.ring, "lineage": self._lineage, "generation": self._generation}
        return {**told, **super().fields(), "encryptsWith": self._seen}

    def run(self) -> None:
        self._secret = self._settings.text("SECRET", r"[A-Za-z0-9_./:=@+-]+", "a secret's name or ARN")
        self._lifetime = self._settings.seconds("TICKET_LIFETIME")
        super().run()

    def _apply(self) -> None:
        state = read_state(self._directory)
        ring = self._ring = self._fetch(self._read_ring, lambda found: found.generation >= self._request.generation)
        relation = compare(ring, state)
        if relation == "older" and state is not None:
            self._lineage, self._generation, self.result = state.lineage, state.generation, "stale"
            note(f"stale: {self._secret} holds generation {ring.generation}, this machine runs {state.generation}")
            return
        if ring.generation < self._request.generation:
            wanted = f"wanted generation {self._request.generation} or later"
            raise Failure("generation-behind", f"{wanted}, {self._secret} holds {ring.generation}")
        self._files = self._server.render(ring)
        self._refuse_disk()
        for file in self._files:
            file.forget("new", "old")
        self._directory.remove("state.new")
        self._placed = all(file.in_place() for file in self._files)
        changed = self._boot(relation) if self._is_boot else self._live(lambda: self._bring(relation))
        self._lineage, self._generation = ring.lineage, ring.generation
        if not self._is_boot:
            self._try_old_tickets()
        self.result = "unchanged" if not changed else "reset" if relation == "reset" else "applied"

    def _refuse_disk(self) -> None:
        if self._settings.one_of("ALLOW_DISK", ("no", "yes")) == "no":
            for directory in (self._directory, self._files[0].directory):
                kind = file_system(directory)
                if kind not in ("tmpfs", "ramfs"):
                    raise Failure("not-tmpfs", f"wanted {directory.path} on a tmpfs, found {kind}; ALLOW_DISK=yes permits it")
        warn_of_swap()

    # ---- Fetching

    def _read_ring(self, aws: Aws) -> Ring:
        return parse_ring(self._read_secret(aws), self._request.ring, self._secret)

    def _read_secret(self, aws: Aws) -> str:
        # The stage is named because the policy permits only what AWSCURRENT names.
        request = {"SecretId": self._secret, "VersionStage": "AWSCURRENT"}
        try:
            value = aws.call("secretsmanager", "secretsmanager.GetSecretValue", request).get("SecretString")
        except Refused as refused:
            gone = refused.kind == "InvalidRequestException" and "delet" in refused.message
            code = "secret-missing" if gone or refused.kind == "ResourceNotFoundException" else "endpoint-unreachable"
            raise Failure(code, f"wanted {self._secret} at AWSCURRENT in {aws.region}; {refused.said}") from None
        if not isinstance(value, str):
            raise Failure("ring-invalid", f"wanted a ring of schema 1 in {self._secret}, found no SecretString")
        return value

    # ---- Applying

    def _boot(self, relation: str) -> bool:
        """Before the server starts: files in place, nothing proved."""
        if relation == "same" and self._placed:
            return False
        with self._replacing() as replacement:
            replacement.place(self._deadline)
        return True

    def _bring(self, relation: str) -> bool:
        server = self._server
        holds = server.holds(self._ring)
        problem = self._look()
        strangers = self._strangers
        self._refuse_hopeless(problem)
        bypass = self._find_bypass()
        if relation == "same" and holds and self._placed and problem is None:
            if bypass is not None:
                raise Failure(*bypass)
            self._verified = True
            return False
        self._refuse_repeat(problem)
        with server.turn(), self._replacing() as replacement:
            self._take_old_tickets(strangers)
            if not self._placed:
                replacement.place(self._deadline)
            self._load(bool(strangers))
            after = self._find_bypass()
            if after is not None and bypass is None:
                raise Failure(*after)
        if after is not None:
            # It was so before: going back would close nothing.
            raise Failure(*after)
        return True

    def _load(self, revoked: bool) -> None:
        server = self._server
        self._loaded = True
        server.load(self._ring)
        self._prove()
        if revoked:
            # What was revoked must be gone for good: a new worker on its way gets the time to take over.
            self._deadline.pause(1)
        if server.holds(self._ring):
            return
        note(f"{server.kind} was reloaded meanwhile, with an older file: loading the ring once more")
        server.load(self._ring)
        self._prove()
        if not server.holds(self._ring):
            raise Failure("socket-unexpected", f"{server.kind} was reloaded again and again, with an older file")

    @contextlib.contextmanager
    def _replacing(self) -> Generator[Replacement, None, None]:
        """New key files, and the state after them; all undone, and the server brought back, where the body fails."""
        ring, taken = self._ring, self._directory.names()
        replacement = Replacement([] if self._placed else self._files, 0o400, self._server.owner)
        try:
            # Made first, so that a full disk is noticed, and put in place last, so that a killed run is found out.
            state = f"1 {ring.lineage} {ring.generation} {' '.join(ring.names)}\n"
            self._directory.write_new("state.new", state.encode("ascii"), 0o600)
            yield replacement
            self._directory.rename("state.new", "state")
            replacement.keep()
        except BaseException as error:
            self._directory.remove("state.new")
            for name in self._directory.names():
                if name.startswith("ticket.") and name not in taken:
                    self._directory.remove(name)
            replacement.undo()
            if self._loaded:
                self._bring_back(error)
            raise

    def _bring_back(self, error: BaseException) -> None:
        super()._bring_back(error)
        if isinstance(error, Failure) and self._server.reloaded:
            with contextlib.suppress(Failure):
                self._directory.write_new("refused", self._memory(error.code, error.detail), 0o600)

    def _place_for_start(self) -> None:
        self._server.refuse_other_files(self._files)
        replacement = Replacement([] if self._placed else self._files, 0o400, self._server.owner)
        replacement.place(self._deadline)
        replacement.keep()

    # ---- What was refused is not reloaded again and again

    def _memory(self, code: str, detail: str) -> bytes:
        """A generation whose load failed, and what the listeners show without it."""
        shown = [f"{listener.text} {self._key_name_at(listener)}" for listener in self._server.listeners]
        lines = [str(int(time.time())), self._ring.lineage, " ".join(self._ring.names), ",".join(shown), code, detail]
        return "\n".join(lines).encode("ascii", "replace")

    def _key_name_at(self, listener: Listener) -> str:
        ticket = shake(listener, Deadline(5)).ticket
        return "none" if ticket is None else ticket.key_name

    def _refuse_repeat(self, problem: Problem | None) -> None:
        """Within the hour, the same files would fail for the same cause; other handshakes tell that it has changed."""
        told = (self._directory.read("refused") or b"").decode("ascii", "replace").split("\n")
        self._directory.remove("refused")
        if problem is None or len(told) != 6 or not told[0].isdigit():
            return
        again = self._memory(told[4], told[5]).decode("ascii").split("\n")
        if told[1:] == again[1:] and 0 <= time.time() - int(told[0]) < _HOUR:
            self._directory.write_new("refused", "\n".join(told).encode("ascii", "replace"), 0o600)
            failure = Failure(told[4], told[5])
            failure.add(
                f"nothing has changed: not loaded again within the hour, or until {self._directory.path}/refused is gone"
            )
            raise failure

    # ---- Proof

    def _look(self) -> Problem | None:
        # Listeners that encrypt with a key which the ring does not have.
        self._strangers: list[Listener] = []
        return super()._look()

    def _look_at(self, listener: Listener) -> Problem | None:
        seen = shake(listener, self._deadline)
        problem = self._judge(listener, seen)
        if problem is not None and seen.ticket is not None and seen.ticket.key_name not in self._ring.names:
            self._strangers.append(listener)
        return problem

    def _judge(self, listener: Listener, seen: Handshake) -> Problem | None:
        current = self._ring.current.name.hex()
        wanted = f"{listener.text}: wanted a ticket under {current}"
        ticket = seen.ticket
        if ticket is None and seen.finished and not seen.asked or ticket is not None and ticket.is_short:
            return Problem("tickets-off", f"{wanted}, got none: session tickets are off")
        if ticket is None:
            return silence(seen, wanted)
        self._seen = ticket.key_name
        if ticket.lifetime > self._lifetime:
            wanted = f"{listener.text}: wanted a ticket lifetime of at most {self._lifetime} s"
            return Problem("lifetime-exceeded", f"{wanted}, it announces {ticket.lifetime} s")
        if ticket.key_name != current:
            return Problem("verify-wrong-key", f"{wanted}, got one under {ticket.key_name}")
        return None

    # ---- Proof of a revocation

    def _take_old_tickets(self, strangers: Sequence[Listener]) -> None:
        """Under keys that the new ring does not have, to be refused after the load."""
        for listener in strangers:
            name = f"ticket.{listener.text.replace('/', ',')}"
            seen = self._take_ticket(listener, f"{name}.new")
            if seen.ticket is None or not self._directory.read(f"{name}.new"):
                raise Failure("verify-unreachable", f"{listener.text}: wanted a ticket to try again later, got none")
            self._directory.rename(f"{name}.new", f"{name}.{seen.ticket.key_name}")
            note(f"keeping a ticket under {seen.ticket.key_name} of {listener.text}, which the new ring must refuse")

    def _take_ticket(self, listener: Listener, name: str, *options: str) -> Handshake:
        self._directory.remove(name)
        return shake(listener, self._deadline, ("-sess_out", f"{self._directory.path}/{name}", *options))

    def _try_ticket(self, listener: Listener, name: str, *options: str) -> Handshake:
        words = ("-sess_in", f"{self._directory.path}/{name}", *options)
        return shake(listener, self._deadline, words, with_client=False)

    def _try_old_tickets(self) -> None:
        """A ticket stays until it was refused, so that a later run tries it again."""
        listeners = {listener.text.replace("/", ","): listener for listener in self._server.listeners}
        for name in self._directory.names():
            match = _OLD_TICKET.fullmatch(name)
            if match is None or self._directory.read(name) is None:
                continue
            listener, key_name = listeners.get(match[1]), match[2]
            if listener is None:
                note(f"forgetting a ticket under {key_name} of {match[1]}, which is no listener of the settings any more")
            elif key_name not in self._ring.names:
                self._server.look_until(functools.partial(self._accepted, listener, key_name, name), 1)
            self._directory.remove(name)

    def _accepted(self, listener: Listener, key_name: str, name: str) -> Problem | None:
        """Going back would bring revoked keys back: the new ring stays, and the next run tries the ticket again."""
        seen = self._try_ticket(listener, name)
        if seen.finished and not seen.reused or seen.asked:
            return None
        code = "old-ticket-accepted" if seen.reused else "verify-unreachable"
        return Problem(
            code,
            f"{listener.text}: wanted the ticket under {key_name} refused, got {'it accepted' if seen.reused else 'no answer'}",
        )

    # ---- Proof that no ticket opens a guarded listener

    def _find_bypass(self) -> Problem | None:
        """Tries a ticket of every open listener, without a client certificate, at every guarded one."""
        if self._settings.one_of("MIXED_CLIENT_AUTHENTICATION", ("refused", "checked")) == "refused":
            return None
        guarded = [parse_listener(text) for text in self._settings.get(f"{self.server.upper()}_GUARDED").split()]
        known = {listener.text for listener in guarded}
        for listener in self._server.listeners:
            if listener.text in known:
                continue
            for version in ("-tls1_2", "-tls1_3"):
                found = self._bypass_from(listener, guarded, version)
                if found is not None:
                    return found
        return None

    def _bypass_from(self, listener: Listener, guarded: Sequence[Listener], version: str) -> Problem | None:
        try:
            # Of a client without a certificate: one that was shown may open the guarded listener.
            if self._take_ticket(listener._replace(client=None), "open.ticket", version).ticket is None:
                return None
            for other in guarded:
                seen = self._try_ticket(other, "open.ticket", version)
                if not seen.spoke:
                    return silence(seen, f"{other.text}: wanted the ticket of {listener.text} refused")
                if seen.reused:
                    opened = f"a ticket of {listener.text} opens {other.text} without a client certificate"
                    return Problem("auth-bypass", f"{opened} (TLS {version[4:].replace('_', '.')}): give them different rings")
            return None
        finally:
            self._directory.remove("open.ticket")


def compare(ring: Ring, state: State | None) -> str:
    """new, reset (another lineage, or this generation with other keys), older, newer or same."""
    if state is None:
        return "new"
    if state.lineage != ring.lineage:
        return "reset"
    if ring.generation != state.generation:
        return "older" if ring.generation < state.generation else "newer"
    return "same" if state.names == ring.names else "reset"


def read_state(directory: Directory) -> State | None:
    data = directory.read("state")
    if data is None:
        return None
    match = _STATE.fullmatch(data.decode("ascii", "replace"))
    if match is None:
        note(f"ignoring an unreadable {directory.path}/state")
        return None
    return State(match[1], int(match[2]), (match[3], match[4], match[5]))
