"""The ring as Secrets Manager holds it: parsed strictly; weak and repeated keys are refused, since no server refuses them."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from typing import NamedTuple

from .result import Failure

_FIELDS = {
    "schema": r"1",
    "ring": r"[a-z0-9-]{1,64}",
    "lineage": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "generation": r"[1-9][0-9]{0,11}",
    "parent": r"[!-~]{1,64}",
    "rotatedAt": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z",
}
_KEYS = ("previous", "current", "next")


class TicketKey(NamedTuple):
    """80 bytes: name 16, AES-256 key 32, HMAC-SHA-256 key 32. It shows its name alone. Source: RFC 5077, section 4."""

    name: bytes
    aes: bytes
    hmac: bytes

    def __repr__(self) -> str:
        return f"TicketKey({self.name.hex()})"

    def laid_out(self, size: int, hmac_first: bool = False) -> bytes:
        """In a server's layout of 80 or 48 bytes; the latter has the first half of each key."""
        half = 16 if size == 48 else 32
        keys = (self.hmac, self.aes) if hmac_first else (self.aes, self.hmac)
        return self.name + keys[0][:half] + keys[1][:half]

    def derived(self, layout: str) -> bytes:
        """32 bytes for a layout of its own, which are no part of what other kinds of server hold.

        Source: RFC 5869 with SHA-256, no salt and the layout as info; one block of it is what is wanted.
        """
        secret = hmac.digest(bytes(32), self.aes + self.hmac, "sha256")
        return hmac.digest(secret, f"ticketring {layout}\1".encode("ascii"), "sha256")


class Ring(NamedTuple):
    lineage: str
    generation: int
    previous: TicketKey
    current: TicketKey
    next: TicketKey
    rotated_at: str = ""

    @property
    def keys(self) -> tuple[TicketKey, TicketKey, TicketKey]:
        """Oldest to newest."""
        return (self.previous, self.current, self.next)

    @property
    def names(self) -> tuple[str, ...]:
        """In hex, oldest to newest."""
        return tuple(key.name.hex() for key in self.keys)


def parse_ring(text: str, ring: str, secret: str) -> Ring:
    """Raises Failure ring-invalid, ring-mismatch or no-ring. No value is repeated that may be a key in the wrong place."""
    fields = _flat(text, secret)
    if not fields:
        raise Failure("no-ring", f"{secret} holds {{}}: the rotation function has not made the ring yet")
    for name in fields:
        if name not in _FIELDS and name not in _KEYS:
            raise _invalid(secret, "an unknown field")
    for name in (*_FIELDS, *_KEYS):
        if name not in fields:
            raise _invalid(secret, f"no {name}")
    if fields["schema"] != "1":
        raise _invalid(secret, f"schema {_if_name(fields['schema'])}")
    if fields["ring"] != ring:
        raise Failure("ring-mismatch", f"wanted the ring {ring} in {secret}, found {_if_name(fields['ring'])}")
    for name, pattern in _FIELDS.items():
        if re.fullmatch(pattern, fields[name], re.ASCII) is None:
            raise _invalid(secret, f"a {name} that is none")
    taken: set[bytes] = set()
    previous, current, following = (_parse_key(which, fields[which], taken, secret) for which in _KEYS)
    return Ring(fields["lineage"], int(fields["generation"]), previous, current, following, fields["rotatedAt"])


def _invalid(secret: str, found: str) -> Failure:
    return Failure("ring-invalid", f"wanted a ring of schema 1 in {secret}, found {found}")


def _flat(text: str, secret: str) -> dict[str, str]:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise _invalid(secret, "a field twice")
        return found

    try:
        found: object = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError):
        raise _invalid(secret, "no JSON") from None
    if not isinstance(found, dict):
        raise _invalid(secret, "no JSON object")
    fields: dict[str, str] = {}
    for name, value in found.items():  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(name, str) or not isinstance(value, str):
            raise _invalid(secret, "a field that is no string")
        fields[name] = value
    return fields


def _parse_key(which: str, text: str, taken: set[bytes], secret: str) -> TicketKey:
    if len(text) != 108:
        raise _invalid(secret, f"a key of {len(text)} base64 digits, not 108")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    # Another spelling of the same bytes would not be what HAProxy shows.
    if len(data) != 80 or base64.b64encode(data).decode() != text:
        raise _invalid(secret, "a key that is no base64 of 80 bytes")
    key = TicketKey(data[:16], data[16:48], data[48:])
    for part, value in (("name", key.name), ("AES key", key.aes), ("HMAC key", key.hmac)):
        if len(set(value)) == 1:
            raise _invalid(secret, f"a weak key: the {part} of {which} repeats one byte")
        if value in taken:
            raise _invalid(secret, f"a repeated key: the {part} of {which} is in two keys")
        taken.add(value)
    return key


def _if_name(text: str) -> str:
    return f"'{text}'" if re.fullmatch(r"[a-z0-9-]{0,31}", text) else "something else"
