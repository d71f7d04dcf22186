"""`ticketring ring --check`: all that stands in the way of a ring on this machine, at once. Nothing is loaded or stays."""

from __future__ import annotations

import calendar
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from typing import TYPE_CHECKING

from .__main__ import installed_in, load_settings, protect
from .aws import Aws, endpoint_of
from .bypass import try_pairs
from .clock import Deadline
from .directory import Directory
from .handshake import Problem, shake
from .hold import refuse_held
from .http import NoAnswer, ask, proxy_for
from .local import make_ring
from .process import command
from .process import run as run_program
from .releases import weakness_of
from .request import Request
from .result import Failure, note, printable, reason
from .ring import KINDS, RingRun
from .servers.protocol import Machine, NotRunning, choose
from .settings import Listener, Settings, read_file
from .tmpfs import file_system, plain_swap

if TYPE_CHECKING:
    from typing import Callable, Mapping, NoReturn, Sequence


# AWS takes a signature that is five minutes off.
_SKEW = 60
# What a ring's files and a ticket take, many times.
_LEAST_ROOM = 262_144
# Run Command shows the first 2,500 bytes of an output, with what is on standard error.
_LONGEST_LINE = 2_200
_LEAST_DETAIL = 40


def main() -> int:
    environment = protect()
    try:
        request = Request([word for word in sys.argv[1:] if word != "--check"], environment)
        if not request.is_ring or request.boot or request.pull:
            raise ValueError("wanted ring --check RING")
    except ValueError as error:
        note(str(error))
        return 2
    return check(request, environment)


def check(request: Request, environment: Mapping[str, str]) -> int:
    """Prints one line: facts, and every problem. 0 where there is none."""
    started = time.monotonic()
    place = ""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    problems = list[Problem]()
    facts: dict[str, object] = {"python": ".".join(map(str, sys.version_info[:3])), "server": ""}
    try:
        # What a delivery has left is looked at by this program, not handed over to that one, which may have no check.
        left = f"{os.path.dirname(installed_in())}/{request.scope}.conf"
        settings = load_settings(request, {"TICKETRING_SETTINGS": read_file(left), **environment})
        place = tempfile.mkdtemp(prefix="ticketring-check-", dir=_place_for(settings, request))
        deadline = Deadline(settings.seconds("RUN_SECONDS", "100"))
        Check(request, settings, environment, deadline, place, problems, facts).look()
    except Failure as failure:
        problems.append(Problem(failure.code, failure.detail))
    except OSError as error:
        problems.append(Problem("write-failed", f"cannot make a directory for a while: {reason(error)}"))
    finally:
        if place:
            shutil.rmtree(place, ignore_errors=True)
    head = {"v": 1, "check": request.name, "script": environment.get("TICKETRING_SCRIPT", "0" * 12)[:12]}
    facts["ms"] = round((time.monotonic() - started) * 1000)
    try:
        os.write(1, line_of({**head, **facts}, problems))
    except OSError:
        return 1
    return 1 if problems else 0


def _place_for(settings: Settings, request: Request) -> str:
    """On a tmpfs where there is one: a ticket lies there for a moment."""
    run = settings.get("RUN_DIR") or f"/run/ticketring/{request.scope}"
    places = [_nearest(run), "/run", "/dev/shm"]
    return next((each for each in places if os.access(each, os.W_OK) and _is_memory(each)), "/run")


def _is_memory(path: str) -> bool:
    with contextlib.suppress(Failure):
        return file_system(Directory(path)) in ("tmpfs", "ramfs")
    return False


def _interrupt(number: int, _: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)
    raise Failure("interrupted", f"stopped before the end by {signal.Signals(number).name}")


def line_of(facts: Mapping[str, object], problems: Sequence[Problem]) -> bytes:
    """As long as Run Command shows: where there are many problems, each says less."""
    most = 300
    while True:
        told = [{"code": code, "detail": printable(detail)[:most]} for code, detail in problems]
        line = (json.dumps({**facts, "problems": told}, separators=(",", ":")) + "\n").encode("ascii")
        if len(line) <= _LONGEST_LINE or most == _LEAST_DETAIL:
            return line
        most = max(most - 20, _LEAST_DETAIL)


class Check(RingRun):
    """Looks at one thing after the other: a problem ends its own look, and no other."""

    def __init__(
        self,
        request: Request,
        settings: Settings,
        environment: Mapping[str, str],
        deadline: Deadline,
        place: str,
        problems: list[Problem],
        facts: dict[str, object],
    ) -> None:
        super().__init__(request, settings, environment, deadline)
        self._place, self.problems, self.facts = place, problems, facts

    def look(self) -> None:
        # As in a run: what is not set is no ring's name.
        self._try(self._read_settings)
        self._try(self._look_for_hold)
        has_openssl = self._try(self._look_at_openssl)
        has_server = self._try(self._find_server)
        for path in self._memory_paths(has_server):
            self._try(lambda path=path: self._look_at_memory(path))
        self._look_at_swap()
        self._ring = make_ring()
        self._try(self._look_at_aws)
        if has_server:
            runs = self._try(self._look_at_server)
            if has_openssl:
                self._look_at_listeners(runs)
            self._look_at_release()

    def _try(self, look: Callable[[], None]) -> bool:
        try:
            look()
        except Failure as failure:
            if failure.code == "interrupted":
                raise
            self._note(failure.code, failure.detail)
            return False
        except NotRunning as absence:
            self._note("server-not-running", str(absence))
            return False
        except Exception as error:
            # What it says may hold what was read.
            self._note("internal-error", f"{type(error).__name__} in {look.__name__}")
            return False
        return True

    def _note(self, code: str, detail: str) -> None:
        problem = Problem(code, printable(detail))
        if problem not in self.problems:
            self.problems.append(problem)

    # ---- The machine

    def _read_settings(self) -> None:
        self._lifetime = 0
        self._secret = self._settings.text("SECRET", r"[A-Za-z0-9_./:=@+-]+", "a secret's name or ARN")
        self._lifetime = self._settings.seconds("TICKET_LIFETIME")
        for key, words in (
            ("MODE", ("enforce", "observe")),
            ("ALLOW_DISK", ("no", "yes")),
            ("MIXED_CLIENT_AUTHENTICATION", ("refused", "checked")),
            ("BOOT", ("yes", "no")),
        ):
            self._try(lambda key=key, words=words: self._check_word(key, words))

    def _check_word(self, key: str, words: Sequence[str]) -> None:
        self._settings.one_of(key, words)

    def _run_directory(self) -> str:
        return self._settings.path("RUN_DIR", f"/run/ticketring/{self._request.scope}")

    def _look_for_hold(self) -> None:
        path = self._run_directory()
        for each in (path, path.rpartition("/")[0]):
            if os.path.lexists(f"{each}/hold"):
                refuse_held(Directory(each))

    def _look_at_openssl(self) -> None:
        status, said = run_program(["openssl", "version"], self._deadline)
        words = said.split()
        if status != 0 or len(words) < 2:
            raise Failure("tool-missing", f"wanted openssl to say its version, got {said or 'nothing'}")
        self.facts["openssl"] = words[1][:40]

    def _memory_paths(self, has_server: bool) -> Sequence[str]:
        """Of the run's directory and of the server's key files, or of each kind's, what is there of them."""
        paths = list[str]()
        with contextlib.suppress(Failure):
            paths.append(self._run_directory())
        for needs in [self._server.needs] if has_server else [kind.needs for kind in KINDS]:
            if self._settings.get(needs):
                with contextlib.suppress(Failure):
                    paths.append(self._key_directory(needs))
        return list(dict.fromkeys(_nearest(path) for path in paths))

    def _key_directory(self, needs: str) -> str:
        path = self._settings.path(needs)
        return path if needs == "NGINX_KEYS" else path.rpartition("/")[0] or "/"

    def _look_at_memory(self, path: str) -> None:
        directory = Directory(path)
        kind, room = file_system(directory), os.fstatvfs(directory.fd)
        if kind not in ("tmpfs", "ramfs") and self._settings.get("ALLOW_DISK") != "yes":
            self._note("not-tmpfs", f"wanted {path} on a tmpfs, found {kind}; ALLOW_DISK=yes permits it")
        if room.f_bavail * room.f_frsize < _LEAST_ROOM:
            self._note("disk-full", f"wanted {_LEAST_ROOM} bytes of room in {path}, found {room.f_bavail * room.f_frsize}")

    def _look_at_swap(self) -> None:
        for device in plain_swap():
            self._note("swap-unencrypted", f"{device} is swap that may not be encrypted; keys in a tmpfs can reach it")

    # ---- AWS

    def _look_at_aws(self) -> None:
        aws = Aws(self._settings, self._environment, self._deadline)
        names = ["secrets_manager", *(["auto_scaling"] if self._settings.get("LAUNCH_GROUPS") else [])]
        reached = [self._try(lambda name=name: self._look_at_endpoint(name, aws.region)) for name in names]
        if reached[0] and self._try(lambda: self._read(aws)):
            self.facts["generation"] = self._ring.generation

    def _look_at_endpoint(self, service: str, region: str) -> None:
        """Whether anything of AWS answers there, and what time it is there."""
        endpoint = endpoint_of(service, region, self._settings, self._environment)
        try:
            proxy = proxy_for(endpoint, self._environment)
            answer = ask("GET", f"{endpoint}/", {}, b"", proxy, Deadline(10, self._deadline))
        except NoAnswer as none:
            raise Failure(none.code, f"wanted an answer of {endpoint}, got {none.words}") from None
        with contextlib.suppress(ValueError):
            there = calendar.timegm(time.strptime(answer.date, "%a, %d %b %Y %H:%M:%S GMT"))
            ahead = round(time.time() - there)
            self.facts["clock"] = ahead
            if abs(ahead) > _SKEW:
                self._note("clock-skew", f"wanted a clock within {_SKEW} s of AWS's, found it {ahead:+d} s off")

    def _read(self, aws: Aws) -> None:
        self._ring = self._read_ring(aws)

    # ---- The server

    def _find_server(self) -> None:
        kind = choose(KINDS, self._settings)
        self.server = kind.kind
        self.facts["server"] = kind.kind
        folder = self._key_directory(kind.needs)
        settings = self._settings
        if not os.path.isdir(folder):
            # A run makes it: a look does not.
            path = settings.path(kind.needs)
            settings = _Moved(settings, kind.needs, folder, f"{self._place}/keys{path[len(folder) :]}")
        self._server = kind(Machine(settings, self._deadline, Directory(self._place)))

    def _look_at_server(self) -> None:
        try:
            try:
                self._server.holds(self._ring)
            except Failure as failure:
                moved = f"{self._place}/keys"
                folder = self._key_directory(self._server.needs)
                raise Failure(failure.code, failure.detail.replace(moved, folder)) from None
            finally:
                version = self._server.version()
                if version:
                    self.facts["serverVersion"] = version
        finally:
            self._try(self._test)

    def _test(self) -> None:
        """Of a kind that has one, as each load begins with it."""
        words = self._settings.words(f"{self.server.upper()}_TEST", "")
        if words:
            command(words, "config-test-failed", self._deadline)

    def _look_at_listeners(self, runs: bool) -> None:
        self._strangers, opened, guarded = [], list[Listener](), list[Listener]()
        told = set(self._settings.get(f"{self.server.upper()}_GUARDED").split())
        problems = list[Problem]()
        for listener in self._server.listeners:
            bare = shake(listener, self._deadline, with_client=False)
            # What demands a certificate gives a client without one no ticket.
            is_guarded = listener.text in told or bare.asked and bare.ticket is None
            if is_guarded or bare.finished:
                (guarded if is_guarded else opened).append(listener)
            problem = self._judge(listener, shake(listener, self._deadline) if listener.client else bare)
            if problem is not None and problem.code not in self.mendable:
                problems.append(problem)
        absence = problems and runs and self._server.absence(problems[0])
        if absence:
            problems = [Problem("server-not-running", f"{absence}, and nothing listens on {self._listeners()}")]
        for problem in problems:
            self._note(*problem)
        self.facts["listeners"] = {"open": len(opened), "guarded": len(guarded)}
        if self._announced:
            self.facts["lifetime"] = max(self._announced.values())
        if opened and guarded:
            self._try(lambda: self._look_at_pairs(opened, guarded))

    def _look_at_pairs(self, opened: Sequence[Listener], guarded: Sequence[Listener]) -> None:
        if self._settings.get("MIXED_CLIENT_AUTHENTICATION") != "checked":
            named = f"{opened[0].text} is open, {guarded[0].text} demands a client certificate"
            self._note("mixed-listeners", f"wanted open and guarded listeners in rings of their own: {named}")
        found = try_pairs(self._server, opened, guarded)
        if found is not None:
            self._note(*found)

    def _look_at_release(self) -> None:
        shown = self.facts.get("listeners")
        has_guarded = isinstance(shown, dict) and bool(shown["guarded"])  # pyright: ignore[reportUnknownArgumentType]
        words = weakness_of(self.server, str(self.facts.get("serverVersion", "")), has_guarded)
        if words:
            self._note("release-affected", words)


class _Moved(Settings):
    """Settings in which the directory of the key files is another."""

    def __init__(self, settings: Settings, key: str, folder: str, path: str) -> None:
        self._settings, self._key, self._folder = settings, key, folder
        super().__init__({}, settings.own_file)
        os.makedirs(path if key == "NGINX_KEYS" else path.rpartition("/")[0], mode=0o700, exist_ok=True)
        self._path_there = path

    def get(self, key: str, default: str = "") -> str:
        return self._path_there if key == self._key else self._settings.get(key, default)


def _nearest(path: str) -> str:
    """What is there of it."""
    while path and not os.path.isdir(path):
        path = path.rpartition("/")[0]
    return path or "/"
