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
from ..files import File, read_public
from ..handshake import Problem, nothing_listens
from ..process import command
from ..result import note
from .protocol import Terminator, find_program
from .turn import Mark, turn

if TYPE_CHECKING:
    from typing import ClassVar, ContextManager, Iterator, Sequence

    from ..keys import Ring
    from ..settings import Settings
    from .protocol import Machine, Place, Staple


LARGEST_PROGRAM = 67_108_864
_HELP = """\
  NGINX_TEST          words, no shell: nginx -t
  NGINX_RELOAD        and systemctl reload nginx
"""


class Nginx(Terminator):
    """What keys and staples share: the reload. It closes idle connections, so one serves both where it can."""

    kind: ClassVar[str] = "nginx"

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._test = machine.settings.words("NGINX_TEST", "nginx -t")
        self._reload = machine.settings.words("NGINX_RELOAD", "systemctl reload nginx")
        self._begun = 0.0

    @staticmethod
    def is_running(settings: Settings) -> bool:
        return False

    @staticmethod
    def program(settings: Settings) -> str:
        return next(iter(settings.words("NGINX_TEST", "nginx -t")), "nginx")

    def version(self) -> str:
        """In the program, as `nginx -v` would print it."""
        if not self._test or self._test[0].rpartition("/")[2] != "nginx":
            return ""
        with contextlib.suppress(OSError):
            program = read_public(find_program(self._test[0]), LARGEST_PROGRAM)
            at = program.find(b"nginx version: ")
            found = re.match(rb"nginx version: [^/\n]+/([A-Za-z0-9._+~-]{1,39})", program[at : at + 120])
            return found[1].decode() if found else ""
        return ""

    def absence(self, problem: Problem) -> str:
        gone = problem.code == "verify-unreachable" and nothing_listens(self.listeners, self.machine.deadline)
        return "nginx does not answer" if gone else ""

    def turn(self) -> ContextManager[object]:
        return contextlib.nullcontext()

    def reload(self) -> None:
        """Once the files are in place; where another run has reloaded since, that one is as good."""
        placed = time.monotonic()
        self._begun = time.clock_gettime(time.CLOCK_BOOTTIME)
        with turn(self.machine, self.kind, " ".join(self._reload)) as lock:
            mark = Mark(lock)
            if mark.is_after(placed):
                note("nginx was reloaded for another run since these files were in place")
                self.reloaded = True
                return
            self._run(self._test, "config-test-failed")
            begun = time.monotonic()
            self.reload_again()
            mark.write(begun)

    def reload_again(self) -> None:
        self.reloaded = True
        self._run(self._reload, "reload-failed")

    def _run(self, words: Sequence[str], code: str) -> None:
        if words:
            command(words, code, self.machine.deadline)

    def lag(self) -> str | None:
        """A reload command exits with 0 though the master takes its time, or refuses the reload and keeps its workers."""
        masters = _masters(self._test) if self._begun else []
        if len(masters) != 1:
            return None
        master, user = masters[0]
        workers = _workers(master)
        if all(_began(worker) >= self._begun for worker in workers):
            # None of them: it cannot be seen, or it begins.
            return "" if workers else None
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
  NGINX_KEY_SIZE      80 or 48
{_HELP}"""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._size = int(machine.settings.one_of("NGINX_KEY_SIZE", ("80", "48")))
        self._directory = Directory(machine.settings.path("NGINX_KEYS"), make=True)

    @staticmethod
    def is_in_place(settings: Settings) -> bool:
        return os.path.exists(f"{settings.get('NGINX_KEYS').rstrip('/')}/nginx.current.key")

    def render(self, ring: Ring) -> Sequence[File]:
        """previous first: whatever the moment, the old current and the new one are both among the three.

        The layouts are name, HMAC, AES in 80 bytes and name, AES, HMAC in 48.
        """
        named = (("previous", ring.previous), ("current", ring.current), ("next", ring.next))
        hmac_first = self._size == 80
        return [File(self._directory, f"nginx.{name}.key", key.laid_out(self._size, hmac_first)) for name, key in named]

    def holds(self, ring: Ring) -> bool:
        masters = _masters(self._test)
        if len(masters) == 1:
            self.refuse_other_owner(masters[0][1], "who runs nginx's master")
        else:
            self.refuse_other_files(self.render(ring))
        return True

    def load(self, ring: Ring) -> None:
        self.reload()

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

    @staticmethod
    def is_in_place(settings: Settings) -> bool:
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
        return []

    def load(self, staples: Sequence[Staple], forget: bool) -> Sequence[tuple[Staple, str]]:
        self.reload()
        self.loaded = True
        return []

    def keeps(self) -> str:
        return ""

    def restore(self) -> None:
        self.reload_again()


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


def _workers(master: int) -> list[int]:
    """Those that take connections: one that is leaving says so, and closes its listeners at once."""
    titles = {child: _title(child) for child in _children(master)}
    return [
        child for child, title in titles.items() if title.startswith("nginx: worker process") and "shutting down" not in title
    ]


def _parent(process: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(_fields(process)[1])
    return 0


def _began(process: int) -> float:
    """Seconds since the machine started, exact to a clock tick."""
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
