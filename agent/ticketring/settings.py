"""Settings of a ring or a set: KEY=value lines, parsed and never evaluated; a later text goes before an earlier one."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from .directory import Directory, refuse_foreign
from .files import read_public
from .result import Failure, reason

if TYPE_CHECKING:
    from typing import Mapping, Sequence

LARGEST_FILE = 65_536
HELP = """
--boot   before the server starts: puts files in place, proves nothing
--pull   by a timer

Prints one JSON line. Exit status: 0 applied, unchanged, reset or, at boot, local-ring; 75 a pull without AWS; 2 usage; 1 else.

Of both:
  REGION              default: the environment's, or the instance's
  SERVER              its kind; default: the one configured, running or installed
  RUN_DIR             default /run/ticketring/NAME
  RUN_SECONDS         seconds that a run may take (100)
  LOCK_WAIT           and wait for another one (30)
  VERIFY_WAIT         and for a handshake to show it (10)
  REPAIR_EVERY        seconds between runs of State Manager: a pull within rests (1800)
  BOOT_WAIT           and, at boot, for AWS (60, of a set 30)
  BOOT                no: without the units of systemd
  ENDPOINT_SECRETSMANAGER, ENDPOINT_SSM
"""
_NAME = re.compile(r"(?:^  |, )([A-Z][A-Z0-9_]+)", re.M)

_VALUE = re.compile(r"[A-Za-z0-9 _./:=@,+\[\]-]*")
# No step of it is . or .. or nothing. Of a pair, the same holds of both.
_PATH = r"(?!\S*/\.{0,2}(?:[/=]|$))/[A-Za-z0-9_./@+-]+"
_TCP = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+|[0-9a-fA-F]*:[0-9a-fA-F:.]+):([1-9][0-9]{0,4})")
_LISTENER = "address:port=servername or unix:/path=servername"


class Listener(NamedTuple):
    """Where a handshake proves the server."""

    text: str
    """As the settings have it."""
    address: str
    """As openssl takes it: a path, or host:port."""
    server_name: str
    client: tuple[str, str] | None = None
    """Files of a certificate and its key, for a listener that demands them."""


def names_in(text: str) -> frozenset[str]:
    """Those of the settings that a text of help is about."""
    return frozenset(_NAME.findall(text))


def parse(origin: str, text: str, known: frozenset[str]) -> dict[str, str]:
    """The settings in `text`, of the `known` ones. Raises Failure config-invalid that names the key."""
    found: dict[str, str] = {}
    for line in text.split("\n"):
        if line.strip(" ") == "" or line.startswith("#"):
            continue
        key, sign, value = line.partition("=")
        if sign == "":
            raise _invalid(f"KEY=value in {origin}", "a line without =")
        if key not in known:
            raise _invalid(f"a known setting in {origin}, of a kind in `servers`", key)
        if _VALUE.fullmatch(value) is None:
            raise _invalid(f"letters, digits and _./:=@,+-[] in {key} of {origin}", "others (CRLF, a NUL, quotes?)")
        found[key] = value
    return found


def read_file(path: str) -> str:
    """The text of a machine's own settings; empty where there is no such file."""
    try:
        data = read_public(path)
        # It names commands that root runs.
        refuse_foreign(path, os.stat(path))
    except OSError as error:
        # A link to a file that is gone says that there is one.
        if isinstance(error, FileNotFoundError) and not os.path.islink(path):
            return ""
        raise _invalid(f"to read {path}", reason(error)) from None
    Directory(path.rpartition("/")[0] or "/").close()
    if len(data) > LARGEST_FILE:
        raise _invalid(f"at most {LARGEST_FILE} bytes in {path}", "more")
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise _invalid(f"ASCII in {path}", "other bytes (a byte-order mark?)") from None


def _invalid(wanted: str, found: str) -> Failure:
    return Failure("config-invalid", f"wanted {wanted}, found {found}")


class Settings:
    """What was parsed, by type. Each getter raises Failure config-invalid that names the key."""

    def __init__(self, values: Mapping[str, str], own_file: str) -> None:
        """own_file: where an operator writes what this machine alone needs."""
        self._values = values
        self.own_file = own_file

    def get(self, key: str, default: str = "") -> str:
        return self._values.get(key, default)

    def text(self, key: str, pattern: str, shape: str, default: str = "") -> str:
        return self._check(key, self.get(key) or default, pattern, shape)

    def _check(self, key: str, value: str, pattern: str, shape: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise _invalid(f"{key} as {shape} in the document or in {self.own_file}", value or "none")
        return value

    def path(self, key: str, default: str = "") -> str:
        return self._path(key, self.get(key) or default)

    def paths(self, key: str) -> list[str]:
        return [self._path(key, word) for word in self.get(key).split() or [""]]

    def _path(self, key: str, value: str) -> str:
        return self._check(key, value.rstrip("/"), _PATH, "an absolute path without . or .. in it")

    def pairs(self, key: str) -> list[tuple[str, str]]:
        """Two paths with = between them, and spaces between the pairs."""
        words = self.get(key).split() or [""]
        pairs = [self._check(key, word, f"{_PATH}={_PATH}", "one absolute path=another").partition("=") for word in words]
        return [(first, second) for first, _, second in pairs]

    def seconds(self, key: str, default: str = "") -> int:
        return int(self.text(key, r"[1-9][0-9]{0,5}", "a number of seconds", default))

    def number(self, key: str, default: str) -> int:
        return int(self.text(key, r"0|[1-9][0-9]{0,5}", "a number", default))

    def one_of(self, key: str, allowed: Sequence[str]) -> str:
        """The first one is the default."""
        return self.text(key, "|".join(allowed), " or ".join(word for word in allowed if word), allowed[0])

    def user(self, key: str) -> str:
        return self.text(key, r"[A-Za-z0-9_.-]{1,32}", "the name of a user", "root")

    def words(self, key: str, default: str) -> list[str]:
        """A command in words, for no shell; none of them where the setting is there and empty."""
        return self.get(key, default).split()

    def command(self, key: str, default: str) -> list[str]:
        """As `words`, for what cannot be done without it."""
        words = self.words(key, default)
        if not words:
            raise _invalid(f"{key} as a command in words in the document or in {self.own_file}", "none")
        return words

    def listeners(self, kind: str) -> list[Listener]:
        """Of KIND_VERIFY, each with the client certificate of that kind."""
        texts = self.get(f"{kind}_VERIFY").split()
        if not texts:
            raise _invalid(f"a listener to verify as {_LISTENER} in {kind}_VERIFY", "none")
        client = None
        if self.get(f"{kind}_CLIENT_CERT") or self.get(f"{kind}_CLIENT_KEY"):
            client = (self.path(f"{kind}_CLIENT_CERT"), self.path(f"{kind}_CLIENT_KEY"))
        return [parse_listener(text)._replace(client=client) for text in texts]


def parse_listener(text: str) -> Listener:
    """host:port=name, [IPv6]:port=name or unix:/path=name."""
    address, sign, server_name = text.rpartition("=")
    if sign and re.fullmatch(r"[A-Za-z0-9_.-]+", server_name):
        path = address[len("unix:") :]
        if address.startswith("unix:") and re.fullmatch(_PATH, path):
            return Listener(text, path, server_name)
        match = _TCP.fullmatch(address)
        if match is not None and int(match[2]) < 65_536:
            bare = ":" in match[1] and not match[1].startswith("[")
            return Listener(text, f"[{match[1]}]:{match[2]}" if bare else address, server_name)
    raise _invalid(f"a listener as {_LISTENER}", text)
