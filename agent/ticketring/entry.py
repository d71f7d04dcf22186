"""What Parameter Store holds of one certificate, as the function writes it: parsed strictly."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, NamedTuple

from .ocsp import seconds_of, words_of

if TYPE_CHECKING:
    from typing import Sequence

    from typing_extensions import TypeGuard

    from .ocsp import Single

LARGEST_ENTRY = 8192
_TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?Z")


class Entry(NamedTuple):
    """Of a state `staple`, `withdrawn` or `none`. The others have no response."""

    state: str
    der: bytes = b""
    digest: str = ""
    this_update: int = 0
    end: int = 0
    haproxy: str = ""
    """Why HAProxy would not take it; empty where it would."""


def parse_entry(text: str, certificate: str) -> Entry:
    """Raises ValueError with what was found in the place of an entry for this certificate."""
    fields = _parse_flat(text)
    version, named, state = (fields.get(name, "") for name in ("v", "id", "state"))
    if type(version) is not int or version != 1 or named != certificate or state not in ("none", "withdrawn", "staple"):
        raise ValueError(f"version '{version}', state '{state}' of '{named}'")
    return _parse_staple(fields) if state == "staple" else Entry(str(state))


def _parse_flat(text: str) -> dict[str, object]:
    """One object, of texts, whole numbers, true, false, null and at most one more level of objects."""
    try:
        if len(text) > LARGEST_ENTRY:
            raise ValueError
        found: object = json.loads(text, object_pairs_hook=_unique)
        if not _is_flat(found, 2):
            raise ValueError
    except (ValueError, RecursionError):
        raise ValueError("no flat JSON") from None
    return found


def _unique(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _is_flat(found: object, levels: int) -> TypeGuard[dict[str, object]]:
    if not isinstance(found, dict):
        return False
    values = list[object](found.values())  # pyright: ignore[reportUnknownArgumentType]
    return all(value is None or isinstance(value, (str, int)) or levels > 1 and _is_flat(value, levels - 1) for value in values)


def _parse_staple(fields: dict[str, object]) -> Entry:
    texts = [fields.get(name) for name in ("response", "sha256", "thisUpdate", "end")]
    response, digest, *times = [text if isinstance(text, str) else "" for text in texts]
    haproxy = fields.get("haproxy", False)
    if (
        re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", response) is None
        or re.fullmatch(r"[0-9a-f]{64}", digest) is None
        or not (haproxy is None or isinstance(haproxy, str))
    ):
        raise ValueError("a state staple that lacks fields or holds others")
    this_update, end = map(_parse_time, times)
    try:
        der = base64.b64decode(response, validate=True)
    except ValueError:
        raise ValueError("a response that is no base64") from None
    found = hashlib.sha256(der).hexdigest()
    if found != digest:
        raise ValueError(f"a response of SHA-256 {found}, which calls itself {digest}")
    # An empty reason is one.
    return Entry("staple", der, digest, this_update, end, "" if haproxy is None else haproxy or "no reason given")


def _parse_time(text: str) -> int:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("a state staple that lacks fields or holds others: a time that is none")
    return seconds_of(*(int(part) for part in match.groups()))


def check(entry: Entry, single: Single) -> None:
    """What the function says of a response and what that says itself. Raises ValueError."""
    if single.this_update != entry.this_update:
        said = words_of(single.this_update)
        raise ValueError(f"thisUpdate {words_of(entry.this_update)} with a response of {said}")
    if single.status == "unknown":
        raise ValueError("the status unknown")
