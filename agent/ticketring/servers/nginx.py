"""nginx: one binary file for a key, of which the first directive encrypts; a reload, after its own test, loads them.

Source: ngx_http_ssl_module, `ssl_session_ticket_key`.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from typing import TYPE_CHECKING

from ..directory import Directory
from ..files import File
from ..handshake import Problem
from ..process import command
from ..result import note
from .nginx_configuration import read_configuration
from .protocol import Terminator, Waits, find_program
from .turn import Mark, now, turn

if TYPE_CHECKING:
    from typing import ClassVar, Iterator, Sequence

    from ..keys import Ring
    from ..settings import Settings
    from .protocol import Machine, Place, Staple


_PIECE, _MOST_PIECES = 65_536, 1024
_VERSION = re.compile(rb"nginx version: [^/\n]{1,40}/([A-Za-z0-9._+~-]{1,39})[^A-Za-z0-9._+~-]")
_LONGEST_VERSION = 100
_HELP = """\
  NGINX_TEST          words, no shell: nginx -t
  NGINX_RELOAD        and systemctl reload nginx
  NGINX_MIN_RELOAD_INTERVAL, NGINX_MAX_DRAINING, NGINX_RELOAD_POLICY
                      600, 8, unless-config-changed or always
"""


class Nginx(Terminator):
    """What keys and staples share: the reload. It closes idle connections, so one serves both where it can."""

    kind: ClassVar[str] = "nginx"

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._test = machine.settings.words("NGINX_TEST", "nginx -t")
        self._reload = machine.settings.words("NGINX_RELOAD", "systemctl reload nginx")
        self._begun = 0.0
        self._known: Sequence[tuple[int, int]] | None = None

    @classmethod
    def program(cls, settings: Settings) -> str:
        return next(iter(settings.words("NGINX_TEST", "nginx -t")), "nginx")

    def version(self) -> str:
        """In the program, as `nginx -v` would print it."""
        if not self._test or self._test[0].rpartition("/")[2] != "nginx":
            return ""
        return release_in(find_program(self._test[0]))

    def reload(self) -> None:
        """Once the files are in place; where another run has reloaded since, that one is as good. Raises Waits."""
        self._begun = now()
        with turn(self.machine, self.kind, " ".join(self._reload)) as lock:
            mark = Mark(lock)
            if mark.moment > self._begun:
                note("reloaded for another run")
                self.reloaded = True
                return
            serving, old = self._seen()
            if not self.first and not self.urgent:
                self._refuse_hurry(mark, len(serving), old)
            digest = self._refuse_edited(mark, serving)
            begun = now()
            self.reload_again()
            mark.write(begun, digest)

    def reload_again(self) -> None:
        self.reloaded = True
        self._run(self._reload, "reload-failed")

    def _run(self, words: Sequence[str], code: str) -> str:
        return command(words, code, self.machine.deadline) if words else ""

    def _refuse_hurry(self, mark: Mark, serving: int, old: Sequence[float]) -> None:
        """Each reload closes idle connections, and leaves workers behind whose connections are not idle."""
        settings = self.machine.settings
        least = settings.number("NGINX_MIN_RELOAD_INTERVAL", "600")
        left = mark.moment + least - now()
        if left > 0:
            raise Waits("reload-deferred", f"wanted {least} s between reloads of nginx, found {left:.0f} s left", int(left) + 1)
        most = settings.number("NGINX_MAX_DRAINING", "8") * max(serving, 1)
        if len(old) > most:
            found = f"found {len(old)}, the oldest of {now() - min(old):.0f} s"
            raise Waits("reload-deferred", f"wanted at most {most} old workers of nginx, {found}")

    def _refuse_edited(self, mark: Mark, serving: Sequence[float]) -> str:
        """The digest of the configuration, which its own test has passed: one that others have not loaded yet is theirs."""
        words = ["-T" if word == "-t" else word for word in self._test]
        found = read_configuration(self._run(words, "config-test-failed"))
        policy = self.machine.settings.one_of("NGINX_RELOAD_POLICY", ("unless-config-changed", "always"))
        if policy == "always" or self.first or not serving:
            return found.digest
        began = min(serving)
        # A file that was removed: none is newer than our own last reload, after which there was no other.
        removed = began < mark.moment + 60 and found.changed < _moment_of(mark.moment)
        # What our own last reload loaded was not changed, whatever has been touched since.
        if found.digest != mark.digest and (removed or found.changed > _moment_of(began)):
            raise Waits("config-changed-by-others", f"wanted the files that nginx loaded, found {found.newest} newest")
        return found.digest

    def masters(self) -> Sequence[tuple[int, int]]:
        """Process and user id of each. All processes are looked through once, and again after a reload."""
        if self._known is None or self.reloaded:
            self._known = _masters(self._test)
        return self._known

    def _seen(self) -> tuple[Sequence[float], Sequence[float]]:
        masters = self.masters()
        return _workers(masters[0][0]) if len(masters) == 1 else ((), ())

    def lag(self) -> str | None:
        """A reload command exits with 0 though the master takes its time, or refuses the reload and keeps its workers."""
        masters = self.masters() if self._begun else ()
        if len(masters) != 1:
            return None
        master, user = masters[0]
        began, _ = _workers(master)
        if all(each >= self._begun for each in began):
            # None of them: it cannot be seen, or it begins.
            return "" if began else None
        words = f"nginx's master (process {master}) kept its old workers after {' '.join(self._reload)}: its error log says why"
        return words if user in (0, self.owner) else f"{words}; it runs as user {user}, the files are user {self.owner}'s"

    def explain(self, problem: Problem) -> Problem:
        lag = self.lag()
        return Problem("reload-not-taken", f"{lag}; {problem.detail}") if lag else problem


class NginxKeys(Nginx):
    """Three files; the first named, which is the current key's, encrypts."""

    needs: ClassVar[str] = "NGINX_KEYS"
    help: ClassVar[str] = f"""\
  NGINX_KEYS          directory of nginx.current.key, nginx.next.key and nginx.previous.key
  NGINX_GUARDED       guarded listeners
  NGINX_HEALTH_CHECK  words, no shell: asked after a load
  NGINX_KEY_SIZE      80 or 48
{_HELP}"""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._size = int(machine.settings.one_of("NGINX_KEY_SIZE", ("80", "48")))
        self._directory = Directory(machine.settings.path("NGINX_KEYS"), make=True)

    @classmethod
    def is_in_place(cls, settings: Settings) -> bool:
        return os.path.exists(f"{settings.get('NGINX_KEYS').rstrip('/')}/nginx.current.key")

    def render(self, ring: Ring) -> Sequence[File]:
        """previous first: whatever the moment, the old current and the new one are both among the three.

        The layouts are name, HMAC, AES in 80 bytes and name, AES, HMAC in 48.
        """
        named = (("previous", ring.previous), ("current", ring.current), ("next", ring.next))
        hmac_first = self._size == 80
        return [File(self._directory, f"nginx.{name}.key", key.laid_out(self._size, hmac_first)) for name, key in named]

    def holds(self, ring: Ring) -> bool:
        # A document of a set has it not.
        from .owner import refuse_other_files, refuse_other_owner

        masters = self.masters()
        if len(masters) == 1:
            refuse_other_owner(self, masters[0][1], "who runs nginx's master")
        else:
            refuse_other_files(self, self.render(ring))
        return True

    def load(self, ring: Ring) -> None:
        self.reload()

    def outdated(self) -> Sequence[float]:
        # Written just before they were loaded; what is put back keeps this time.
        found = self._directory.stat("nginx.current.key")
        written = 0.0 if found is None else found.st_mtime
        serving, old = self._seen()
        return [now() - began for began in (*serving, *old) if _moment_of(began) < written]

    def restore(self) -> None:
        # A configuration that its own test refused was never loaded.
        if self.reloaded:
            self.reload_again()


class NginxStaples(Nginx):
    """A file and a snippet that names it, for `include STAPLE[.]conf;` in the server of that certificate.

    Source: ngx_http_ssl_module, `ssl_stapling_file`. nginx staples it for ever, so what has come to its end must go.
    """

    needs: ClassVar[str] = "NGINX_STAPLES"
    help: ClassVar[str] = f"""\
  NGINX_STAPLES       CERTIFICATE=STAPLE files; nginx includes STAPLE[.]conf
{_HELP}"""
    least: ClassVar[int] = 0
    heedless: ClassVar[bool] = True
    loaded = False

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._pairs = machine.settings.pairs("NGINX_STAPLES")

    @classmethod
    def is_in_place(cls, settings: Settings) -> bool:
        return any(os.path.exists(staple) for _, staple in settings.pairs("NGINX_STAPLES"))

    def places(self) -> Iterator[tuple[str, str, bool]]:
        return ((certificate, staple, True) for certificate, staple in self._pairs)

    def files(self, place: Place, der: bytes | None) -> Sequence[File]:
        snippet = f"ssl_stapling on;\nssl_stapling_file {place.path};\n".encode("ascii")
        staple = File(place.directory, place.name, der, ".")
        naming = File(place.directory, f"{place.name}.conf", None if der is None else snippet, ".")
        return [naming, staple] if der is None else [staple, naming]

    def objection(self, place: Place, haproxy: str) -> str:
        return ""

    def missing(self, staples: Sequence[Staple]) -> Sequence[Staple]:
        """What came later than its workers: a reload had to wait, or a run was killed."""
        since = _moment_of(min(self._seen()[0], default=now()))
        return [each for each in staples if os.path.exists(each.place.path) and os.path.getctime(each.place.path) > since]

    def load(self, staples: Sequence[Staple], forget: bool) -> Sequence[tuple[Staple, str]]:
        self.reload()
        self.loaded = True
        return []

    def keeps(self, shown: Staple | None, replaced: bool) -> str:
        return ""

    def restore(self) -> None:
        self.reload_again()


def release_in(path: str) -> str:
    """In pieces: the memory for all of it, which is megabytes, takes longer to get than a handshake does."""
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb", 0) as program:
            end = b""
            for _ in range(_MOST_PIECES):
                piece = program.read(_PIECE)
                found = _VERSION.search(end + piece)
                if found or not piece:
                    return found[1].decode() if found else ""
                end = piece[-_LONGEST_VERSION:]
    return ""


# ---- Its processes. Source: proc(5)


def _masters(test: Sequence[str]) -> list[tuple[int, int]]:
    """Process and user id of each master; of several, those that were started with the test's own -c and -p."""
    found: list[tuple[int, int, str]] = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit():
                title = _title(int(name))
                if title.startswith("nginx: master process"):
                    found.append((int(name), os.stat(f"/proc/{name}").st_uid, title))
    # A worker that has just begun has the title of its master yet.
    masters = {each[0] for each in found}
    found = [each for each in found if _children(each[0]) or _parent(each[0]) not in masters]
    ours = [word for flag, word in zip(test, test[1:]) if flag in ("-c", "-p")]
    named = [each for each in found if all(word in each[2].split(" ") for word in ours)] if ours else found
    return [(process, user) for process, user, _ in named]


def _children(process: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for word in _read(f"/proc/{process}/task/{process}/children").split()]
    return []


def _workers(master: int) -> tuple[list[float], list[float]]:
    """When those began that take connections, and those that leave: they say so, and have closed their listeners."""
    found: tuple[list[float], list[float]] = ([], [])
    for child in _children(master):
        title, began = _title(child), _began(child)
        if began and title.startswith("nginx: worker process"):
            found["shutting down" in title].append(began)
    return found


def _parent(process: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(_fields(process)[1])
    return 0


def _moment_of(began: float) -> float:
    """In seconds of the epoch."""
    return time.time() - now() + began


def _began(process: int) -> float:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return (int(_fields(process)[19]) + 1) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _title(process: int) -> str:
    with contextlib.suppress(OSError):
        return _read(f"/proc/{process}/cmdline").strip()
    return ""


def _fields(process: int) -> list[str]:
    """From its state on."""
    return _read(f"/proc/{process}/stat").rpartition(")")[2].split()


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read(4096).rstrip("\0").replace("\0", " ")


KEYS = NginxKeys
STAPLES = NginxStaples
