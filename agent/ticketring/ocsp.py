"""X.509 certificates and OCSP responses as far as a machine reads them, in strict DER. All here raises ValueError alone.

Source: X.690, section 10; RFC 5280, section 4.1; RFC 6960, section 4.2.1.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Sequence

_INTEGER, _BITS, _OCTETS, _NULL, _OID = 0x02, 0x03, 0x04, 0x05, 0x06
_ENUMERATED, _TIME, _SEQUENCE = 0x0A, 0x18, 0x30
_BASIC = bytes.fromhex("2b0601050507300101")
_HASHES = {
    bytes.fromhex("2b0e03021a"): "sha1",
    bytes.fromhex("608648016503040201"): "sha256",
    bytes.fromhex("608648016503040202"): "sha384",
    bytes.fromhex("608648016503040203"): "sha512",
}
_STATUSES = {0x80: "good", 0xA1: "revoked", 0x82: "unknown"}
# The servers take OpenSSL's own form too, in which what the certificate is trusted for follows it.
_PEM = re.compile(rb"-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----(.*?)-----END \1-----", re.DOTALL)


class Element(NamedTuple):
    tag: int
    content: bytes
    der: bytes


class Elements:
    """Elements one after the other."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    @classmethod
    def within(cls, data: bytes) -> Elements:
        """What the one sequence holds that is all of the data."""
        outer = cls(data)
        content = outer.take(_SEQUENCE).content
        outer.end()
        return cls(content)

    def more(self) -> bool:
        return self._rest != b""

    def take(self, *tags: int) -> Element:
        data, at = self._rest, 2
        if len(data) < 2 or data[0] not in tags:
            raise ValueError("another element than is wanted")
        length = data[1]
        if length >= 0x80:
            at = length - 0x7E
            length = int.from_bytes(data[2:at], "big")
            if at > 6 or len(data) < at or length < 0x80 or data[2] == 0:
                raise ValueError("a length that is not written shortest")
        if length > len(data) - at:
            raise ValueError("an element that ends too early")
        self._rest = data[at + length :]
        return Element(data[0], data[at : at + length], data[: at + length])

    def optional(self, tag: int) -> Element | None:
        return self.take(tag) if self._rest[:1] == bytes((tag,)) else None

    def end(self) -> None:
        if self._rest:
            raise ValueError("an element too many")


def _bits(element: Element) -> bytes:
    """Of a bit string of whole octets."""
    if element.content[:1] != b"\0":
        raise ValueError("a bit string that ends within an octet")
    return element.content[1:]


def _serial(element: Element) -> bytes:
    """Of a number that is not negative, without the zeros before it."""
    octets = element.content
    if octets == b"" or octets[0] & 0x80 or (octets[0] == 0 and len(octets) > 1 and not octets[1] & 0x80):
        raise ValueError("a serial number that is negative or not written shortest")
    return octets.lstrip(b"\0")


def seconds_of(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    """Since 1970, of a time in UTC."""
    return int(datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc).timestamp())


def words_of(seconds: int) -> str:
    return time.strftime("%b %d %H:%M:%S %Y GMT", time.gmtime(seconds))


def _time(element: Element) -> int:
    if re.fullmatch(rb"[0-9]{14}Z", element.content) is None:
        raise ValueError("a time that is none")
    year, *others = (element.content[at : at + 2] for at in range(2, 14, 2))
    return seconds_of(int(element.content[:2] + year), *map(int, others))


class Certificate:
    def __init__(self, der: bytes) -> None:
        whole = Elements.within(der)
        tbs = Elements(whole.take(_SEQUENCE).content)
        whole.take(_SEQUENCE)
        whole.take(_BITS)
        whole.end()
        tbs.optional(0xA0)
        self.der = der
        self.serial = _serial(tbs.take(_INTEGER))
        tbs.take(_SEQUENCE)
        self.issuer = tbs.take(_SEQUENCE).der
        """Its issuer's Name."""
        tbs.take(_SEQUENCE)
        self.subject = tbs.take(_SEQUENCE).der
        public_key = tbs.take(_SEQUENCE)
        parts = Elements(public_key.content)
        parts.take(_SEQUENCE)
        self.key = _bits(parts.take(_BITS))
        self.id = hashlib.sha256(public_key.der + self.serial).hexdigest()[:32]
        """The same here and in the function: of SubjectPublicKeyInfo and the serial number's magnitude."""

    @property
    def shown_serial(self) -> str:
        """In hex, as servers show it."""
        return self.serial.hex().upper() or "00"


def read_pem(pem: bytes) -> list[Certificate]:
    """Its certificates, of which the first must be readable."""
    found: list[Certificate] = []
    for kind, block in _PEM.findall(pem):
        try:
            der = base64.b64decode(b"".join(block.split()), validate=True)
            found.append(Certificate(Elements(der).take(_SEQUENCE).der if kind.startswith(b"TRUSTED") else der))
        except ValueError:
            if not found:
                raise
    if not found:
        raise ValueError("no certificate")
    return found


def find_issuer(leaf: Certificate, others: Sequence[Certificate]) -> Certificate | None:
    wanted = _canonical(leaf.issuer)
    return next((other for other in others if _canonical(other.subject) == wanted), None)


def _canonical(name: bytes) -> list[tuple[bytes, bytes]]:
    """Names count as the same whatever the type, case and spaces of their texts. Source: RFC 5280, section 7.1."""
    found: list[tuple[bytes, bytes]] = []
    sets = Elements.within(name)
    while sets.more():
        pairs = Elements(sets.take(0x31).content)
        while pairs.more():
            pair = Elements(pairs.take(_SEQUENCE).content)
            kind, value = pair.take(_OID).content, pair.take(*range(1, 0x1F))
            text = value.content.decode("utf-16-be", "replace").encode() if value.tag == 0x1E else value.content
            found.append((kind, b" ".join(text.lower().split())))
    return found


class Single(NamedTuple):
    """What a response says of one certificate."""

    hash: str
    """By which it names the issuer; empty where it is none that counts."""
    name_hash: bytes
    key_hash: bytes
    serial: bytes
    status: str
    this_update: int
    next_update: int | None

    def names(self, leaf: Certificate, issuer: Certificate | None) -> bool:
        """Where the issuer's certificate is not at hand, its name's hash is. Source: RFC 6960, section 4.1.1."""
        if self.hash == "" or self.serial != leaf.serial:
            return False
        key_hash = self.key_hash if issuer is None else _digest(self.hash, issuer.key)
        return (self.name_hash, self.key_hash) == (_digest(self.hash, leaf.issuer), key_hash)

    def cert_id(self) -> bytes:
        """The CertID in DER with SHA-1, by which HAProxy knows a response."""
        number = self.serial if self.serial and self.serial[0] < 0x80 else b"\0" + self.serial
        parts = [bytes.fromhex("300906052b0e03021a0500"), b"\x04\x14", self.name_hash, b"\x04\x14", self.key_hash]
        content = b"".join([*parts, bytes((_INTEGER, len(number))), number])
        return bytes((_SEQUENCE, len(content))) + content


def _digest(name: str, data: bytes) -> bytes:
    return hashlib.new(name, data).digest()


class Response:
    """A basic OCSP response of a responder that was successful. Its signature was checked when the function stored it."""

    def __init__(self, der: bytes) -> None:
        whole = Elements.within(der)
        if whole.take(_ENUMERATED).content != b"\0":
            raise ValueError("a responder that was not successful")
        typed = Elements.within(whole.take(0xA0).content)
        whole.end()
        if typed.take(_OID).content != _BASIC:
            raise ValueError("another type than basic")
        basic = Elements.within(typed.take(_OCTETS).content)
        typed.end()
        data = Elements(basic.take(_SEQUENCE).content)
        basic.take(_SEQUENCE)
        self.signature = _bits(basic.take(_BITS))
        """It covers all that the response says."""
        basic.optional(0xA0)
        basic.end()
        data.optional(0xA0)
        data.take(0xA1, 0xA2)
        _time(data.take(_TIME))
        self.singles = _read_singles(Elements(data.take(_SEQUENCE).content))
        data.optional(0xA1)
        data.end()
        if len(self.signature) < 16:
            raise ValueError("a signature that is none")


def _read_singles(elements: Elements) -> Sequence[Single]:
    found: list[Single] = []
    while elements.more():
        found.append(_read_single(Elements(elements.take(_SEQUENCE).content)))
    return found


def _read_single(fields: Elements) -> Single:
    named = Elements(fields.take(_SEQUENCE).content)
    algorithm = Elements(named.take(_SEQUENCE).content)
    kind = _HASHES.get(algorithm.take(_OID).content, "")
    algorithm.optional(_NULL)
    algorithm.end()
    name_hash, key_hash = named.take(_OCTETS).content, named.take(_OCTETS).content
    serial = _serial(named.take(_INTEGER))
    named.end()
    status = _STATUSES[fields.take(*_STATUSES).tag]
    this_update, until = _time(fields.take(_TIME)), fields.optional(0xA0)
    fields.optional(0xA1)
    fields.end()
    next_update = None
    if until is not None:
        inner = Elements(until.content)
        next_update = _time(inner.take(_TIME))
        inner.end()
    return Single(kind, name_hash, key_hash, serial, status, this_update, next_update)
