"""The story of a ring: fetch, check, compare, write, load, prove. Whatever fails, what ran before runs on."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from .aws import Refused
from .bypass import find_bypass
from .files import Replacement
from .handshake import Problem, shake, silence
from .health import find_unhealthy
from .keys import parse_ring
from .local import OLDEST, are_usable, is_local, make_ring
from .observing import forget_shadow, observe
from .refused import refuse_repeat, remember
from .result import Failure, note
from .revocation import forget_tickets, take_old_tickets, try_old_tickets
from .run import Run
from .servers import kinds_that
from .servers.owner import refuse_other_files
from .state import State, compare, drift_before, forget_drift, note_contact, read_state, serialise, since_contact
from .tmpfs import file_system, warn_of_swap

if TYPE_CHECKING:
    from typing import Generator, Mapping, Sequence, Type

    from .aws import Aws
    from .clock import Deadline
    from .handshake import Handshake
    from .keys import Ring
    from .request import Request
    from .servers.protocol import KeyServer
    from .settings import Listener, Settings

HELP = """
ring: loads RING from Secrets Manager into the TLS terminator and proves it by a handshake; refuses one older than GENERATION
(default 1). Of a ring:
  SECRET              name or ARN
  TICKET_LIFETIME     at most, in seconds
  STALE_AFTER         seconds without Secrets Manager that fail a pull (172800)
  STAY_BEHIND         seconds for which a ring may be the canary's alone: only a command goes on to it until then (0)
  LAUNCH_GROUPS       Auto Scaling groups whose hook ticketring-NAME waits for a proved ring
  ENDPOINT_AUTOSCALING
  ALLOW_DISK          yes: keys may be on a disk
  MODE                observe: a run loads nothing and says what it would do; default: enforce
  MIXED_CLIENT_AUTHENTICATION
                      checked: tickets of open listeners are tried at guarded ones
"""
KINDS: Sequence[Type[KeyServer]] = tuple(kinds_that("KEYS"))


class RingRun(Run["KeyServer"]):
    mendable = ("verify-wrong-key",)
    boot_wait = "60"
    _lineage, _generation, _seen, _loaded, _drifted, _launch = "", 0, "", False, 0, ""
    _would, _in_use = "", False

    def __init__(self, request: Request, settings: Settings, environment: Mapping[str, str], deadline: Deadline) -> None:
        super().__init__(KINDS, request, settings, environment, deadline)
        self._least = int(request.order)
        self._announced: dict[str, int] = {}
        self._outdated: Sequence[float] = ()
        self._told: State | None = None

    def fields(self) -> dict[str, object]:
        told = {"ring": self._request.name, "lineage": self._lineage, "generation": self._generation}
        more: dict[str, object] = {"lifetime": max(self._announced.values())} if self._announced else {}
        if self._outdated:
            more.update(oldProcesses=len(self._outdated), oldestSeconds=round(max(self._outdated)))
        if self._told and self._told.pulled:
            more["pulled"] = self._generation
        if self._told and self._told.after_local:
            more["afterLocalRing"] = True
        if self._drifted:
            more["drifted"] = self._drifted
        if self._launch:
            more["launch"] = self._launch
        if not self.loads:
            more["mode"] = "observe"
        if self._would:
            more["would"] = self._would
        if self._in_use:
            more["inUse"] = True
        return {**told, **super().fields(), "encryptsWith": self._seen, **more}

    def run(self) -> None:
        self._secret = self._settings.text("SECRET", r"[A-Za-z0-9_./:=@+-]+", "a secret's name or ARN")
        self._lifetime = self._settings.seconds("TICKET_LIFETIME")
        # What a start needs, it gets: a server does not start without the files that it names.
        self.loads = self._settings.one_of("MODE", ("enforce", "observe")) == "enforce" or self._request.boot
        super().run()
        if self._verified:
            self._complete_launch()

    def _complete_launch(self) -> None:
        if self._settings.get("LAUNCH_GROUPS"):
            # Loaded where it is needed: each run takes time of a processor that has other work.
            from .launch import complete_launch

            hook = f"ticketring-{self._request.name}"
            self._launch = complete_launch(hook, self._settings, self._environment, self._deadline, self._directory)

    def _apply(self) -> None:
        if not self.loads:
            # A look keeps no machine from its clients, whatever it finds.
            self._complete_launch()
        state = read_state(self._directory)
        if self._rests():
            self._lineage, self._generation = (state.lineage, state.generation) if state else ("", 0)
            return
        try:
            ring = self._fetch(self._read_ring, lambda found: found.generation >= self._least)
        except Failure as failure:
            if failure.code != "interrupted" and self.loads:
                self._do_without(state, failure)
            raise
        note_contact(self._directory)
        relation = compare(ring, state)
        if relation == "older" and state is not None:
            self._lineage, self._generation, self.result = state.lineage, state.generation, "stale"
            note(f"stale: {self._secret} holds generation {ring.generation}, this machine runs {state.generation}")
            return
        if self.loads and state is not None and self._stays(ring, state):
            self._lineage, self._generation, self.result = state.lineage, state.generation, "unchanged"
            note(f"stays on generation {state.generation}: no command has asked for {ring.generation}, which the canary tries")
            return
        if ring.generation < self._least:
            wanted = f"wanted generation {self._least} or later"
            raise Failure("generation-behind", f"{wanted}, {self._secret} holds {ring.generation}")
        if not self.loads:
            self._observe(ring, relation)
            return
        self._prepare(ring, self._marked(ring, state, relation))
        forget_shadow(self._directory)
        changed = self._put(relation)
        self._told = self._state if changed or state is None else state
        self._lineage, self._generation = ring.lineage, ring.generation
        self._count_drift(state, relation, changed)
        self.result = "unchanged" if not changed else "reset" if relation == "reset" else "applied"

    def _observe(self, ring: Ring, relation: str) -> None:
        """What a run that loads would come to, as far as can be told without loading."""
        self._ring, self._lineage, self._generation = ring, ring.lineage, ring.generation
        self._files = self._server.render(ring)
        self._refuse_disk()
        runs = observe(self._server, ring, self._files, self._look, self.mendable)
        runs = runs and all(file.in_place() for file in self._files)
        self._would = "unchanged" if runs else "reset" if relation == "reset" else "applied"
        self._in_use = len(self._strangers) < len(self._server.listeners)
        self.result = "unchanged"

    def _stays(self, ring: Ring, state: State) -> bool:
        """One generation behind a machine loses nothing: it holds the key that encrypts as its next, and its own is held."""
        longest = self._settings.number("STAY_BEHIND", "0")
        follows = ring.lineage == state.lineage and ring.generation == state.generation + 1
        is_next = follows and ring.names[:2] == state.names[1:]
        if not longest or not is_next or state.generation < self._least or self._age(ring) >= longest:
            return False
        # What is not there has to be put right.
        return all(file.data is None or file.directory.stat(file.name) is not None for file in self._server.render(ring))

    def _age(self, ring: Ring) -> float:
        """Seconds since it became current."""
        # Loaded where a canary is alone.
        from calendar import timegm

        return time.time() - timegm(time.strptime(ring.rotated_at[:19], "%Y-%m-%dT%H:%M:%S"))

    def _marked(self, ring: Ring, state: State | None, relation: str) -> State:
        """The state that this run leaves if it changes something."""
        before = state if relation == "same" else None
        pulled = self._request.pull or before is not None and before.pulled
        after_local = is_local(state) or before is not None and before.after_local
        drifted = 0 if self._is_heard() else drift_before(state, relation) + (relation == "same")
        return State(ring.lineage, ring.generation, ring.names, pulled, after_local, drifted)

    def _count_drift(self, state: State | None, relation: str, changed: bool) -> None:
        """What this machine ran already, and had to be put right: the file, the server or its keys were changed meanwhile."""
        self._drifted = drift_before(state, relation)
        if changed and relation == "same":
            self._drifted += 1
            note(f"drift: generation {self._generation} was here, and was not what the server ran or its files held")
        elif self._drifted and not changed and state is not None and self._is_heard():
            forget_drift(self._directory, state)

    def _prepare(self, ring: Ring, state: State) -> None:
        self._ring, self._state = ring, state
        self._files = self._server.render(ring)
        self._refuse_disk()
        for file in self._files:
            file.forget("new", "old")
        self._directory.remove("state.new")
        self._placed = all(file.in_place() for file in self._files)

    def _put(self, relation: str) -> bool:
        """True where something was changed."""
        if self._request.boot:
            return self._boot(relation)
        changed = self._live(lambda: self._bring(relation))
        if not is_local(self._state):
            # It stays, though a ticket may be accepted that it should refuse.
            self._lineage, self._generation = self._ring.lineage, self._ring.generation
        try_old_tickets(self._server, self._ring)
        # Of the kinds, nginx alone leaves processes behind at each ring.
        self._outdated = getattr(self._server, "outdated", tuple[float])()
        return changed

    # ---- Without a ring of Secrets Manager

    def _do_without(self, state: State | None, failure: Failure) -> None:
        """A server that starts gets a ring of the machine's own where it has none; keys do not grow older than OLDEST."""
        age = since_contact(self._directory)
        # Not by a clock that AWS itself calls wrong.
        is_old = age >= OLDEST and failure.code != "clock-skew"
        ring = make_ring()
        if is_old or self._request.boot and not are_usable(self._server.render(ring), self._server.owner):
            self._prepare(ring, State(ring.lineage, ring.generation, ring.names))
            self._put("reset")
            failure.add("a ring of this machine's own is in place until it can be fetched")
            self.failing = "local-ring"
        elif is_local(state):
            self.failing = "local-ring"
        elif self._request.pull and age >= self._settings.seconds("STALE_AFTER", "172800"):
            wanted = f"wanted an answer of Secrets Manager within STALE_AFTER, got none for {int(age)} s"
            raise Failure("ring-stale", f"{wanted}; {failure.code}: {failure.detail}")

    def _refuse_disk(self) -> None:
        if self._settings.one_of("ALLOW_DISK", ("no", "yes")) == "no":
            for directory in (self._directory, self._files[0].directory):
                kind = file_system(directory)
                if kind not in ("tmpfs", "ramfs"):
                    wanted = f"wanted {directory.path or '/'} on a tmpfs"
                    raise Failure("not-tmpfs", f"{wanted}, found {kind}; ALLOW_DISK=yes permits it")
        warn_of_swap()

    # ---- Fetching

    def _read_ring(self, aws: Aws) -> Ring:
        return parse_ring(self._read_secret(aws), self._request.name, self._secret)

    def _read_secret(self, aws: Aws) -> str:
        # The stage is named because the policy permits only what AWSCURRENT names.
        request = {"SecretId": self._secret, "VersionStage": "AWSCURRENT"}
        try:
            value = aws.call("secrets_manager", "secretsmanager.GetSecretValue", request).get("SecretString")
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
        if self._settings.get("MODE") == "observe" and are_usable(self._files, self._server.owner):
            note("MODE=observe: the key files that are here stay")
            return False
        with self._replacing() as replacement:
            replacement.place(self._deadline)
        return True

    def _bring(self, relation: str) -> bool:
        server = self._server
        holds = server.holds(self._ring)
        problem = self._look()
        strangers, self._before = self._strangers, self._shown
        self._refuse_hopeless(problem)
        bypass = find_bypass(server)
        if relation == "same" and holds and self._placed and problem is None:
            if bypass is not None:
                raise Failure(*bypass)
            self._verified = True
            return False
        refuse_repeat(server, self._ring, self._before, problem is not None)
        server.first = relation == "new"
        server.urgent = relation == "reset" or bool(strangers)
        with server.turn(), self._replacing() as replacement:
            take_old_tickets(server, strangers)
            if not self._placed:
                replacement.place(self._deadline)
            self._load(bool(strangers))
            after = find_bypass(server)
            if after is not None and bypass is None:
                raise Failure(*after)
            unhealthy = find_unhealthy(server)
            if unhealthy is not None and (server.first or not server.urgent):
                raise unhealthy
        if after is not None:
            # It was so before: going back would close nothing.
            raise Failure(*after)
        if unhealthy is not None:
            unhealthy.add("the ring stays, for what it replaced is revoked")
            raise unhealthy
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
        taken = self._directory.names()
        replacement = Replacement([] if self._placed else self._files, 0o400, self._server.owner)
        try:
            # Made first, so that a full disk is noticed, and put in place last, so that a killed run is found out.
            self._directory.write_new("state.new", serialise(self._state), 0o600)
            yield replacement
            self._directory.rename("state.new", "state")
            replacement.keep()
        except BaseException as error:
            self._directory.remove("state.new")
            forget_tickets(self._directory, taken)
            replacement.undo()
            if self._loaded:
                self._bring_back(error)
            raise

    def _bring_back(self, error: BaseException) -> None:
        super()._bring_back(error)
        if isinstance(error, Failure) and self._server.reloaded:
            with contextlib.suppress(Failure):
                remember(self._server, self._ring, self._before, error)

    def _place_for_start(self) -> None:
        refuse_other_files(self._server, self._files)
        replacement = Replacement([] if self._placed else self._files, 0o400, self._server.owner)
        replacement.place(self._deadline)
        replacement.keep()

    # ---- Proof

    def _look(self) -> Problem | None:
        # Listeners that encrypt with a key which the ring does not have.
        self._strangers: list[Listener] = []
        self._shown: dict[str, str] = {}
        return super()._look()

    def _look_at(self, listener: Listener) -> Problem | None:
        seen = shake(listener, self._deadline)
        problem = self._judge(listener, seen)
        self._shown[listener.text] = "none" if seen.ticket is None else seen.ticket.key_name
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
        self._announced[listener.text] = ticket.lifetime
        if ticket.lifetime > self._lifetime:
            wanted = f"{listener.text}: wanted a ticket lifetime of at most {self._lifetime} s"
            return Problem("lifetime-exceeded", f"{wanted}, it announces {ticket.lifetime} s")
        if ticket.key_name != current:
            return Problem("verify-wrong-key", f"{wanted}, got one under {ticket.key_name}")
        return None
