"""HAProxy: one file of base64 lines, oldest key first; its runtime socket, at level admin, changes keys without a reload.

Source: HAProxy management guide, `show tls-keys`, `set ssl tls-key`; configuration manual, `tls-ticket-keys`.
"""

from __future__ import annotations

import base64
import os
import re
import socket
import struct
from typing import TYPE_CHECKING

from ..clock import Deadline
from ..directory import Directory
from ..files import File
from ..handshake import Problem, nothing_listens
from ..process import command
from ..result import Failure, note, reason
from .protocol import NotRunning, Terminator, Waits
from .turn import turn

if TYPE_CHECKING:
    from typing import ClassVar, ContextManager, Iterator, Sequence

    from ..keys import Ring
    from ..settings import Settings
    from .protocol import Machine, Place, Staple

LARGEST_ANSWER = 262_144
_UPDATED = "TLS ticket key updated!"
_KINDS = (".rsa", ".ecdsa", ".dsa")
_PEM = (".pem", *(f".pem{kind}" for kind in _KINDS))
_NAME = re.compile(r"[A-Za-z0-9_.:@,+-]+")
# The releases that are given a staple at run time: those that are known to be sound. In the others `set ssl ocsp-response`
# frees what a handshake may be reading, and can show memory to a client (BUG/MAJOR 26e74f140 of 28 July 2026, in
# 3.5-dev4; "must be backported to all supported versions"). Which stable releases have it could not be found out, and
# what a distribution backports does not show in the number.
_SOUND = re.compile(r"(?!3\.5-dev[0-3](-|$))(3\.[5-9]([.-]|$)|3\.[1-9][0-9]|[4-9]\.|[1-9][0-9]\.)")


class Haproxy(Terminator):
    """What keys and staples share: the runtime socket. Commands and answers may hold keys: neither is ever repeated."""

    kind: ClassVar[str] = "haproxy"

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self.socket = machine.settings.path("HAPROXY_SOCKET")
        self.release = ""

    @classmethod
    def is_running(cls, settings: Settings) -> bool:
        return os.path.exists(settings.get("HAPROXY_SOCKET"))

    def version(self) -> str:
        return self.release

    def turn(self) -> ContextManager[object]:
        return turn(self.machine, self.kind, self.socket)

    def absence(self, problem: Problem) -> str:
        """One whose socket answers runs, whatever a listener shows."""
        return ""

    def ask(self, commands: str) -> str:
        """Raises NotRunning, or Failure."""
        # One time for the whole answer, however it comes.
        answer, patience = b"", Deadline(5, self.machine.deadline)
        try:
            with self._connect() as link:
                link.sendall(f"{commands}\n".encode("ascii"))
                while piece := link.recv(65_536):
                    link.settimeout(max(patience.left(), 0.001))
                    answer += piece
                    if len(answer) > LARGEST_ANSWER:
                        raise self.unexpected(f"at most {LARGEST_ANSWER} bytes")
        except OSError as error:
            # Both say that no process listens there.
            gone = isinstance(error, (FileNotFoundError, ConnectionRefusedError))
            if gone and nothing_listens(self.listeners, self.machine.deadline):
                raise NotRunning(f"nothing serves {self.socket}") from None
            raise self._refused(reason(error) if error.errno else "no end of it within 5 s") from None
        if answer == b"":
            raise self._refused("none")
        text = answer.decode("ascii", "replace")
        if "Permission denied" in text:
            raise self._not_admin("permission denied")
        return text

    def _refused(self, found: str) -> Failure:
        return Failure("socket-refused", f"wanted a whole answer from {self.socket}, got: {found}")

    def _connect(self) -> socket.socket:
        link = socket.socket(socket.AF_UNIX)
        try:
            link.settimeout(max(min(5, self.machine.deadline.left()), 0.05))
            link.connect(self.socket)
        except BaseException:
            link.close()
            raise
        return link

    def look(self, commands: str) -> str:
        """What it answers at level admin; the release that it is, besides."""
        answer = self.ask_again(f"show cli level;show info;{commands}")
        level, _, rest = answer.partition("\n")
        if level in ("operator", "user"):
            raise self._not_admin(level)
        if level != "admin":
            raise self.unexpected("its level")
        self._take_release(rest)
        return rest

    def _take_release(self, answer: str) -> None:
        found = re.search(r"^Version: ([A-Za-z0-9._+~-]{1,39})", answer, re.M)
        self.release = found[1] if found else ""

    def ask_again(self, commands: str) -> str:
        """For what may be asked twice: a worker that is leaving after a reload closes what it has accepted."""
        try:
            return self.ask(commands)
        except Failure:
            self.machine.deadline.pause(0.2)
            return self.ask(commands)

    def _not_admin(self, found: str) -> Failure:
        return Failure("socket-not-admin", f"wanted level admin on {self.socket}, found {found}")

    def unexpected(self, wanted: str) -> Failure:
        return Failure("socket-unexpected", f"wanted {wanted} from {self.socket}, got something else")


class HaproxyKeys(Haproxy):
    """Three keys in one file; its process encrypts with the middle one."""

    needs: ClassVar[str] = "HAPROXY_KEYS"
    help: ClassVar[str] = """\
  HAPROXY_SOCKET      runtime socket, level admin
  HAPROXY_KEYS        file
  HAPROXY_GUARDED     guarded listeners
  HAPROXY_HEALTH_CHECK
                      words, no shell: asked after a load
  HAPROXY_KEY_SIZE    80 or 48
"""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._path = machine.settings.path("HAPROXY_KEYS")
        self._size = int(machine.settings.one_of("HAPROXY_KEY_SIZE", ("80", "48")))
        folder, _, self._name = self._path.rpartition("/")
        self._directory = Directory(folder, make=True)
        self._before: dict[str, list[str]] = {}
        self._others: list[str] = []

    @classmethod
    def is_in_place(cls, settings: Settings) -> bool:
        return os.path.exists(settings.get("HAPROXY_KEYS"))

    def render(self, ring: Ring) -> Sequence[File]:
        return [File(self._directory, self._name, "".join(f"{text}\n" for text in self._texts(ring)).encode())]

    def _texts(self, ring: Ring) -> list[str]:
        return [base64.b64encode(key.laid_out(self._size)).decode() for key in ring.keys]

    def _is_same(self, path: str) -> bool:
        try:
            return os.path.samefile(path, self._path)
        except OSError:
            return False

    def _user(self) -> int:
        """Of the process that opened the socket: as that user its next start reads its files."""
        with self._connect() as link:
            size = struct.calcsize("3i")
            return struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[1]

    def holds(self, ring: Ring) -> bool:
        # A document of a set has it not.
        from .owner import refuse_other_owner

        held = self._held()
        refuse_other_owner(self, self._user(), "who started HAProxy")
        self._before = self._before or held
        return all(texts == self._texts(ring) for texts in held.values())

    def load(self, ring: Ring) -> None:
        """`set ssl tls-key` drives the oldest key out: only what is missing is pushed, counted as late as can be."""
        wanted, held_by = self._texts(ring), self._held()
        for path in self._others:
            same = self._is_same(path)
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
        ours = [(number, path) for number, path in known if path == self._path or self._is_same(path)]
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


class HaproxyStaples(Haproxy):
    """FILE.ocsp beside the certificate's FILE. HAProxy stops five minutes before nextUpdate and forgets at a reload alone.

    Source: management guide, `show ssl ocsp-response`, `set ssl ocsp-response`, `set ssl cert`; configuration manual, `crt`.
    """

    needs: ClassVar[str] = "HAPROXY_CERTS"
    help: ClassVar[str] = """\
  HAPROXY_SOCKET      runtime socket, level admin
  HAPROXY_CERTS       PEM files, or directories of *.pem and *.pem.rsa; FILE.ocsp is the staple
  HAPROXY_RELOAD      words, for a withdrawn staple and, before 3.5, for a fresh one
"""
    least: ClassVar[int] = 300
    heedless: ClassVar[bool] = False
    loaded = False

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._certificates = machine.settings.paths("HAPROXY_CERTS")
        self._reload = machine.settings.words("HAPROXY_RELOAD", "")
        self._pushed: list[Place] = []

    @classmethod
    def is_in_place(cls, settings: Settings) -> bool:
        paths = settings.paths("HAPROXY_CERTS")
        names = [name for path in paths if os.path.isdir(path) for name in os.listdir(path)]
        return any(os.path.exists(f"{path}.ocsp") for path in paths) or any(name.endswith(".ocsp") for name in names)

    def places(self) -> Iterator[tuple[str, str, bool]]:
        for path in self._certificates:
            if not os.path.isdir(path):
                # Without such a file HAProxy looks for a bundle: one of each kind of key.
                bundle = [f"{path}{kind}" for kind in _KINDS if os.path.exists(f"{path}{kind}")]
                for file in [path] if os.path.exists(path) or not bundle else bundle:
                    yield file, f"{file}.ocsp", True
                continue
            for name in sorted(os.listdir(path)):
                if not name.endswith(_PEM) or name.startswith("."):
                    continue
                if _NAME.fullmatch(name) is None:
                    note(f"leaving out a file of {path}: its name holds characters that no setting may")
                    continue
                yield f"{path}/{name}", f"{path}/{name}.ocsp", False

    def files(self, place: Place, der: bytes | None) -> Sequence[File]:
        # HAProxy takes every file of a directory for a certificate but those that begin with a dot.
        return [File(place.directory, place.name, der, ".")]

    def objection(self, place: Place, haproxy: str) -> str:
        if haproxy:
            return f"HAProxy would not take the response of {place.certificate}: {haproxy}"
        if place.issuer is None and place.directory.stat(place.name) is None:
            return f"{place.certificate} lacks its issuer: HAProxy does not start when {place.path} is beside it"
        return ""

    def missing(self, staples: Sequence[Staple]) -> Sequence[Staple]:
        self._take_release(self.ask_again("show info"))
        return [staple for staple in staples if not self._holds(staple)]

    def _holds(self, staple: Staple) -> bool:
        """The signature is shown whole. A HAProxy before 2.5 cannot show a response."""
        answer = self.ask_again(f"show ssl ocsp-response {staple.single.cert_id().hex()}")
        shown = re.sub(r"[:\s]", "", answer).lower()
        return staple.response.signature.hex() in shown or "Unknown command" in answer

    def load(self, staples: Sequence[Staple], forget: bool) -> Sequence[tuple[Staple, str]]:
        forget = forget and self._reload != []
        if _SOUND.match(self.release):
            refused = [(staple, words) for staple in staples for words in [self._push(staple)] if words]
            if forget:
                self._reload_all()
            return refused
        run = [staple for staple in staples if self._runs(staple.place)]
        if run and not self._reload:
            raise Waits(
                "reload-failed",
                f"HAProxy {self.release} may show memory to clients when given a staple at run time, HAPROXY_RELOAD is "
                "empty: its next start or reload takes them",
            )
        if run or forget:
            self._reload_all()
        for staple in run:
            self.look_until(lambda staple=staple: self._find_missing(staple), 1)
        return []

    def _reload_all(self) -> None:
        self.reloaded = self.loaded = True
        command(self._reload, "reload-failed", self.machine.deadline)

    def _find_missing(self, staple: Staple) -> Problem | None:
        try:
            if self._holds(staple):
                return None
        except Failure as failure:
            return Problem(failure.code, failure.detail)
        path = staple.place.certificate
        return Problem("staple-refused", f"HAProxy was reloaded and does not hold the response of {path}: its log says why")

    def _runs(self, place: Place) -> bool:
        """Whether it runs the certificate that is in the file now."""
        answer = self.ask(f"show ssl cert {place.certificate}")
        if f"\nSerial: {place.leaf.shown_serial}\n" in answer or "Unknown command" in answer:
            return True
        note(
            f"HAProxy runs without the certificate in {place.certificate}, or by another name (show ssl cert); "
            f"{place.path} is there for its next start"
        )
        return False

    def _push(self, staple: Staple) -> str:
        """Why it does not take the response; nothing where it does, or runs without this certificate."""
        answer = self._set(staple.der)
        if "does not match any certificate" in answer:
            if not self._runs(staple.place):
                return ""
            answer = self._exchange(staple)
        elif answer.startswith("OCSP Response updated!"):
            answer = ""
        if answer:
            return answer
        self.loaded = True
        self._pushed.append(staple.place)
        if not self._holds(staple):
            raise self.unexpected(f"the response of {staple.place.certificate}")
        return ""

    def _set(self, der: bytes) -> str:
        return self.ask(f"set ssl ocsp-response <<\n{base64.b64encode(der).decode()}\n")

    def _exchange(self, staple: Staple) -> str:
        """A certificate that had no .ocsp file when it was loaded has no room for a response: it is given both anew,
        from its own memory, in a transaction that touches no key. Gives why not."""
        path = staple.place.certificate
        answer = self.ask(f"set ssl cert {path}.ocsp <<\n{base64.b64encode(staple.der).decode()}\n")
        if "Transaction created" in answer:
            answer = self.ask(f"commit ssl cert {path}")
        if "Success!" in answer:
            return ""
        self.ask(f"abort ssl cert {path}")
        return f"{answer.strip()} (it had no {path}.ocsp when it started: reload it, or restart it with one)"

    def keeps(self, shown: Staple | None, replaced: bool) -> str:
        return "" if self._reload or replaced else "HAProxy drops it five minutes before, or at a reload (HAPROXY_RELOAD)"

    def restore(self) -> None:
        if self.reloaded:
            self._reload_all()
        for place in self._pushed:
            old = place.directory.read(place.name)
            if old:
                self._set(old)


KEYS = HaproxyKeys
STAPLES = HaproxyStaples
