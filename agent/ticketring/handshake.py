"""A TLS handshake as a client makes it, by `openssl s_client -msg`, whose dump of the messages is read byte by byte."""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from .clock import Deadline
from .process import Child

if TYPE_CHECKING:
    from typing import Callable, Sequence

    from .settings import Listener

# Handshake messages. Source: RFC 8446, section 4; RFC 6066, section 8.
_SERVER_HELLO, _NEW_SESSION_TICKET, _CERTIFICATE, _CERTIFICATE_REQUEST, _FINISHED, _CERTIFICATE_STATUS = 2, 4, 11, 13, 20, 22
_STATUS_REQUEST = 5
_HEAD = re.compile(r"<<< (?P<version>[^,]*), (?P<type>Handshake|Alert) \[length (?P<length>[0-9a-f]{4,6})\](, (?P<words>.*))?")
_BYTES = re.compile(r" {3,5}([0-9a-f]{2}( [0-9a-f]{2})*)")
_SECONDS = 4


class Ticket(NamedTuple):
    lifetime: int
    """Seconds, as announced."""
    data: bytes

    @property
    def key_name(self) -> str:
        """32 hex digits. Source: RFC 5077, section 4."""
        return self.data[:16].hex()

    @property
    def is_short(self) -> bool:
        """A session id in a ticket's place, which a TLS 1.3 server sends with tickets switched off."""
        return len(self.data) <= 32


class Handshake:
    """What the server said, and what is missing."""

    ticket: Ticket | None = None
    leaf = b""
    """Its certificate, DER."""
    staple = b""
    """Its OCSP response, DER."""
    finished = False
    asked = False
    """It wants a client certificate."""
    trouble = ""
    refused = False
    spoke = False
    modern = False
    _rest = 0
    _bytes = b""
    _version = ""

    @property
    def reused(self) -> bool:
        """Without a certificate, the handshake was a resumption."""
        return self.finished and self.leaf == b""

    def read(self, line: str) -> None:
        """Takes in a line of s_client."""
        head = _HEAD.fullmatch(line)
        if head is not None:
            self.spoke = True
            self._version, self._bytes = head["version"], b""
            self._rest = int(head["length"], 16) if head["type"] == "Handshake" else 0
            if head["type"] == "Alert" and "close_notify" not in (head["words"] or ""):
                self.trouble = self.trouble or f"the alert {(head['words'] or 'unknown').rpartition(' ')[2]}"
        elif self._rest > 0:
            dump = _BYTES.fullmatch(line)
            if dump is not None:
                self._bytes += bytes.fromhex(dump[1])
            if len(self._bytes) >= self._rest:
                self._rest = 0
                self._take(Reader(self._bytes))
        elif line.startswith("<<<"):
            self.spoke = True
        elif line.startswith("connect:errno="):
            self._take_error(int(line[14:]) if line[14:].isdigit() else 0)
        elif ":wrong version number:" in line or ":packet length too long:" in line:
            self.trouble = "an answer that is no TLS"
        elif "Name or service not known" in line or "getaddrinfo" in line or "BIO_lookup" in line:
            self.trouble = "a name that does not resolve"

    def _take_error(self, number: int) -> None:
        """Of connect(2). Where nothing listens, that is all there is to say; anything else is not the server's doing."""
        self.refused = not self.trouble and number in (errno.ECONNREFUSED, errno.ENOENT)
        if not self.refused:
            self.trouble = self.trouble or f"no connection: {os.strerror(number)}"

    def _take(self, message: Reader) -> None:
        self.modern = "1.3" in self._version
        try:
            kind, body = message.number(1), Reader(message.vector(3))
            if kind == _NEW_SESSION_TICKET:
                self._take_ticket(body)
            elif kind == _CERTIFICATE:
                self._take_certificate(body)
            elif kind == _CERTIFICATE_STATUS and body.number(1) == 1:
                self.staple = body.vector(3)
        except ValueError:
            self.trouble = "a message that ends too early"
            return
        self.asked = self.asked or kind == _CERTIFICATE_REQUEST
        self.finished = self.finished or kind == _FINISHED

    def _take_ticket(self, body: Reader) -> None:
        lifetime = body.number(4)
        if self.modern:
            body.number(4)
            body.vector(1)
        # A TLS 1.2 server that changes its mind sends an empty one. Of several, the first says it all.
        data = body.vector(2)
        if data and self.ticket is None:
            self.ticket = Ticket(lifetime, data)

    def _take_certificate(self, body: Reader) -> None:
        if self.modern:
            body.vector(1)
        chain = Reader(body.vector(3))
        self.leaf = chain.vector(3)
        if self.modern:
            extensions = Reader(chain.vector(2))
            while extensions.left():
                kind, data = extensions.number(2), Reader(extensions.vector(2))
                if kind == _STATUS_REQUEST and data.number(1) == 1:
                    self.staple = data.vector(3)


class Reader:
    """Numbers and vectors of TLS, big-endian. Raises ValueError where the bytes end."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def left(self) -> int:
        return len(self._data)

    def number(self, octets: int) -> int:
        return int.from_bytes(self._cut(octets), "big")

    def vector(self, octets: int) -> bytes:
        """With its length before it."""
        return self._cut(self.number(octets))

    def _cut(self, count: int) -> bytes:
        if count > len(self._data):
            raise ValueError
        head, self._data = self._data[:count], self._data[count:]
        return head


def has_ticket(seen: Handshake) -> bool:
    """TLS 1.3 sends its ticket late; a TLS 1.2 server sends none after its Finished."""
    return seen.finished and (seen.ticket is not None or seen.reused or not seen.modern)


def is_finished(seen: Handshake) -> bool:
    return seen.finished


def shake(
    listener: Listener,
    deadline: Deadline,
    options: Sequence[str] = (),
    enough: Callable[[Handshake], bool] = has_ticket,
    with_client: bool = True,
) -> Handshake:
    """One handshake, with openssl's `options`; the connection is kept until it is enough."""
    where = ["-unix", listener.address] if listener.address.startswith("/") else ["-connect", listener.address]
    client = ["-cert", listener.client[0], "-key", listener.client[1]] if listener.client and with_client else []
    words = ["openssl", "s_client", "-msg", "-no-CAfile", "-no-CApath", *where, "-servername", listener.server_name]
    child = Child([*words, *client, *options], Deadline(_SECONDS, deadline))
    seen = Handshake()
    try:
        for line in child.lines():
            seen.read(line)
            if enough(seen):
                break
        else:
            if child.wait(_SECONDS) is None and not seen.trouble:
                seen.trouble = f"no end of the handshake within {_SECONDS} s"
        child.end_input()
        # -sess_out is written by the time it ends.
        if options:
            child.wait(1)
    finally:
        child.close()
    return seen


class Problem(NamedTuple):
    """Why a listener does not prove what is wanted: a code of docs/errors.md, and the words."""

    code: str
    detail: str


def silence(seen: Handshake, wanted: str) -> Problem:
    """Why a handshake showed nothing."""
    if seen.asked:
        return Problem("verify-client-certificate", f"{wanted}, it wants a client certificate")
    if seen.refused:
        return Problem("verify-unreachable", f"{wanted}, connection refused")
    if not seen.spoke and not seen.trouble:
        return Problem("verify-proxy-protocol", f"{wanted}, it closed without a byte, as PROXY protocol does")
    return Problem("verify-unreachable", f"{wanted}, got {seen.trouble or 'no TLS answer'}")


def nothing_listens(listeners: Sequence[Listener], deadline: Deadline) -> bool:
    return all(shake(listener, deadline).refused for listener in listeners)
