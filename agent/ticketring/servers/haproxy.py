"""HAProxy: one file of base64 lines, oldest key first; its runtime socket, at level admin, changes keys without a reload.

Source: HAProxy management guide, `show tls-keys`, `set ssl tls-key`; configuration manual, `tls-ticket-keys`.
"""

from __future__ import annotations

import base64
import os
import re
import socket
import struct
from typing import ContextManager, Sequence

from ..files import Directory, File, uid_of
from ..handshake import Problem, nothing_listens
from ..keys import Ring
from ..result import Failure, note, reason
from ..settings import Settings
from .protocol import Machine, NotRunning
from .turn import turn

LARGEST_ANSWER = 262_144
_UPDATED = "TLS ticket key updated!"


class Haproxy:
    """What keys and staples share: the runtime socket. Commands and answers may hold keys: neither is ever repeated."""

    kind = "haproxy"
    reloaded = False

    def __init__(self, machine: Machine) -> None:
        settings = machine.settings
        self.machine = machine
        self.socket = settings.path("HAPROXY_SOCKET")
        self.owner = uid_of(settings.user("HAPROXY_OWNER"))
        self.listeners = settings.listeners("HAPROXY")
        self.release = ""

    @staticmethod
    def is_running(settings: Settings) -> bool:
        return os.path.exists(settings.get("HAPROXY_SOCKET"))

    @staticmethod
    def program(settings: Settings) -> str:
        return "haproxy"

    def version(self) -> str:
        return self.release

    def absence(self, problem: Problem) -> str:
        # Its socket answers, so it runs.
        return ""

    def turn(self) -> ContextManager[object]:
        return turn(self.machine, self.kind, self.socket)

    def explain(self, problem: Problem) -> Problem:
        return problem

    def ask(self, commands: str) -> str:
        """Raises NotRunning, or Failure."""
        try:
            with self._connect() as link:
                link.sendall(f"{commands}\n".encode("ascii"))
                answer = b""
                while piece := link.recv(65_536):
                    answer += piece
                    if len(answer) > LARGEST_ANSWER:
                        raise self.unexpected(f"at most {LARGEST_ANSWER} bytes")
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise self._absent("no socket" if isinstance(error, FileNotFoundError) else "nothing serves") from None
        except PermissionError:
            raise Failure("socket-refused", f"wanted to connect to {self.socket}, not permitted") from None
        except OSError as error:
            trouble, answer = reason(error), b""
        else:
            trouble = "none"
        if answer == b"":
            raise Failure("socket-refused", f"wanted a whole answer from {self.socket}, got: {trouble}")
        text = answer.decode("ascii", "replace")
        if "Permission denied" in text:
            raise self._not_admin("permission denied")
        return text

    def _connect(self) -> socket.socket:
        link = socket.socket(socket.AF_UNIX)
        try:
            link.settimeout(max(min(5, self.machine.deadline.left()), 0.05))
            link.connect(self.socket)
        except BaseException:
            link.close()
            raise
        return link

    def _absent(self, what: str) -> Exception:
        if nothing_listens(self.listeners, self.machine.deadline):
            return NotRunning(f"{what} {self.socket}")
        return Failure("socket-refused", f"wanted the runtime socket {self.socket}, found none, though a listener answers")

    def look(self, commands: str) -> str:
        """What it answers at level admin; the release that it is, besides."""
        commands = f"show cli level;show info;{commands}"
        try:
            answer = self.ask(commands)
        except Failure:
            # A worker that is leaving after a reload closes what it has accepted.
            self.machine.deadline.pause(0.2)
            answer = self.ask(commands)
        level, _, rest = answer.partition("\n")
        if level in ("operator", "user"):
            raise self._not_admin(level)
        found = re.search(r"^Version: ([A-Za-z0-9._+~-]{1,39})", rest, re.M)
        if level != "admin":
            raise self.unexpected("its level")
        self.release = found[1] if found else ""
        return rest

    def user(self) -> int:
        """Of the process that opened the socket: as that user its next start reads its files."""
        with self._connect() as link:
            size = struct.calcsize("3i")
            return struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[1]

    def refuse_unreadable(self, path: str) -> None:
        user = self.user()
        if user not in (0, self.owner):
            wanted = f"wanted HAPROXY_OWNER as user {user}, who started HAProxy"
            raise Failure("config-invalid", f"{wanted}, found user {self.owner}: its next start could not read {path}")

    def _not_admin(self, found: str) -> Failure:
        return Failure("socket-not-admin", f"wanted level admin on {self.socket}, found {found}")

    def unexpected(self, wanted: str) -> Failure:
        return Failure("socket-unexpected", f"wanted {wanted} from {self.socket}, got something else")


class HaproxyKeys(Haproxy):
    """Three keys in one file; its process encrypts with the middle one."""

    needs = "HAPROXY_KEYS"

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._path = machine.settings.path("HAPROXY_KEYS")
        self._size = int(machine.settings.one_of("HAPROXY_KEY_SIZE", ("80", "48")))
        folder, _, self._name = self._path.rpartition("/")
        self._directory = Directory(folder, make=True)
        self._before: dict[str, list[str]] = {}
        self._others: list[str] = []

    @staticmethod
    def is_in_place(settings: Settings) -> bool:
        return os.path.exists(settings.get("HAPROXY_KEYS"))

    def render(self, ring: Ring) -> Sequence[File]:
        return [File(self._directory, self._name, "".join(f"{text}\n" for text in self._texts(ring)).encode())]

    def _texts(self, ring: Ring) -> list[str]:
        return [base64.b64encode(key.laid_out(self._size)).decode() for key in ring.keys]

    def holds(self, ring: Ring) -> bool:
        held = self._held()
        self.refuse_unreadable(self._path)
        self._before = self._before or held
        return all(texts == self._texts(ring) for texts in held.values())

    def load(self, ring: Ring) -> None:
        """`set ssl tls-key` drives the oldest key out: only what is missing is pushed, counted as late as can be."""
        wanted, held_by = self._texts(ring), self._held()
        for path in self._others:
            same = _is_same(path, self._path)
            note(f"HAProxy has {path} too, {'the same file, loaded with it' if same else 'another file, left as it is'}")
        for reference, held in held_by.items():
            missing = next(count for count in range(4) if held[count:] == wanted[: 3 - count])
            if missing == 0 or self._push(reference, wanted[3 - missing :]) == wanted:
                continue
            # A new worker, which had read another file, came between the two.
            if self._push(reference, wanted) != wanted:
                raise Failure("socket-unexpected", "HAProxy holds another ring than the one pushed")

    def restore(self) -> None:
        held = self._held()
        for reference, texts in self._before.items():
            if held.get(reference) != texts and self._push(reference, texts) != texts:
                raise Failure("socket-unexpected", "HAProxy does not hold what it held before")

    def _held(self) -> dict[str, list[str]]:
        """The three keys, oldest first, by each reference of HAProxy's to our file, whatever name it has there."""
        known = re.findall(r"^([0-9]+) \((.*)\)$", self.look("show tls-keys"), re.M)
        ours = [(number, path) for number, path in known if path == self._path or _is_same(path, self._path)]
        if not ours:
            raise Failure("socket-unexpected", f"wanted a bind line with tls-ticket-keys {self._path}, HAProxy has none")
        self._others = [path for _, path in known if path != self._path]
        return {f"#{number}": self._keys(f"#{number}", self.ask(f"show tls-keys #{number}")) for number, _ in ours}

    def _keys(self, reference: str, answer: str) -> list[str]:
        lines = [line for line in answer.split("\n") if line and not line.startswith("# ")]
        found = [re.fullmatch(rf"{reference[1:]}\.{at} ([A-Za-z0-9+/=]+)", line) for at, line in enumerate(lines)]
        keys = [match[1] for match in found if match is not None]
        if len(keys) != 3 or len(lines) != 3:
            raise self.unexpected(f"three keys of {self._path}")
        return keys

    def _push(self, reference: str, texts: Sequence[str]) -> list[str]:
        """The keys that it holds then."""
        commands = "".join(f"set ssl tls-key {reference} {text};" for text in texts)
        answer = self.ask(f"{commands}show tls-keys {reference}")
        if "wrong size" in answer:
            raise Failure("socket-unexpected", f"wanted HAProxy to take keys of {self._size} bytes, it wants another size")
        lines = [line for line in answer.split("\n") if line]
        if lines[: len(texts)] != [_UPDATED] * len(texts):
            raise self.unexpected(f"a yes to each of {len(texts)} keys")
        return self._keys(reference, "\n".join(lines[len(texts) :]))


def _is_same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False
