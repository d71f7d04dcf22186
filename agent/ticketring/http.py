"""One request of HTTP/1.1, whole before its deadline. (http.client takes as long as all the rest to load.)"""

from __future__ import annotations

import re
import socket
from base64 import b64encode
from typing import TYPE_CHECKING, NamedTuple

from .result import reason

if TYPE_CHECKING:
    from typing import Mapping

    from .clock import Deadline

LARGEST_ANSWER = 1_048_576
_UNREACHABLE = "endpoint-unreachable"
_URL = re.compile(r"(https?)://(?:([^@/]*)@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?(/[!-~]*)?")


class NoAnswer(Exception):
    """Code of the cause, not of its consequence, and its words."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(code)
        self.code = code
        self.words = words


class Answer(NamedTuple):
    status: int
    body: bytes
    date: str


class Address:
    """An http or https URL. Raises NoAnswer."""

    def __init__(self, url: str) -> None:
        match = _URL.fullmatch(url)
        if match is None or int(match[4] or 0) > 65_535:
            raise NoAnswer("config-invalid", "an address that is no http or https URL")
        self.scheme, self.user, host, port, path = match.groups(default="")
        self.host = host.strip("[]")
        self.port = int(port or (443 if self.scheme == "https" else 80))
        self.netloc = f"{host}:{port}" if port else host
        self.path = path or "/"


def proxy_for(url: str, environment: Mapping[str, str]) -> str:
    """As curl reads the variables; empty where there is none for that host."""
    address = Address(url)
    named = f"{address.scheme}_proxy"
    found = environment.get(named) or (environment.get(named.upper(), "") if address.scheme == "https" else "")
    for word in (environment.get("no_proxy") or environment.get("NO_PROXY", "")).split(","):
        word = word.strip().lstrip(".")
        if word == "*" or (word and (address.host == word or address.host.endswith(f".{word}"))):
            return ""
    return found if "://" in found or not found else f"http://{found}"


def ask(method: str, url: str, headers: Mapping[str, str], body: bytes, proxy: str, deadline: Deadline) -> Answer:
    """No redirect is followed. Raises NoAnswer."""
    address = Address(url)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    target = url if proxy and address.scheme == "http" else address.path
    head = [
        f"{method} {target} HTTP/1.1",
        f"Host: {address.netloc}",
        "Connection: close",
        f"Content-Length: {len(body)}",
        *lines,
    ]
    try:
        with _connect(address, proxy.rstrip("/"), deadline) as link:
            link.sendall("\r\n".join([*head, "", ""]).encode("ascii") + body)
            return _answer(_read(link, deadline))
    except (OSError, ValueError) as error:
        raise _cause(error) from None


def _connect(address: Address, proxy: str, deadline: Deadline) -> socket.socket:
    by = Address(proxy) if proxy else address
    # For a text Python loads all that names in other scripts take.
    link = socket.create_connection((by.host.encode(), by.port), max(min(3, deadline.left()), 0.05))  # pyright: ignore[reportArgumentType]
    try:
        if address.scheme == "http":
            return link
        if proxy:
            _tunnel(link, address, by, deadline)
        import ssl

        link.settimeout(max(deadline.left(), 0.05))
        return ssl.create_default_context().wrap_socket(link, server_hostname=address.host)
    except BaseException:
        link.close()
        raise


def _tunnel(link: socket.socket, address: Address, by: Address, deadline: Deadline) -> None:
    where = f"{address.netloc}" if ":" in address.netloc else f"{address.netloc}:{address.port}"
    user = f"Proxy-Authorization: Basic {b64encode(by.user.encode()).decode()}\r\n" if by.user else ""
    link.sendall(f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{user}\r\n".encode("ascii"))
    answer = _read(link, deadline, until_head=True)
    status = re.match(rb"HTTP/1\.[01] ([0-9]{3})", answer)
    if status is None or status[1] != b"200":
        raise NoAnswer("endpoint-proxy", f"{status[1].decode() if status else 'no HTTP'} from the proxy")


def _read(link: socket.socket, deadline: Deadline, until_head: bool = False) -> bytes:
    """To the end of the answer, or of its head."""
    data, end = b"", -1
    while True:
        link.settimeout(max(deadline.left(), 0.001))
        piece = link.recv(65_536)
        data += piece
        if len(data) > LARGEST_ANSWER:
            raise ValueError(f"more than {LARGEST_ANSWER} bytes")
        if end < 0 and b"\r\n\r\n" in data:
            end = data.index(b"\r\n\r\n") + 4
        length = re.search(rb"\r\ncontent-length: *([0-9]{1,7})\r\n", data[:end], re.I) if end > 0 else None
        if not piece or end > 0 and (until_head or length and len(data) >= end + int(length[1])):
            return data


def _answer(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("ascii", "replace").split("\r\n")
    code = re.match(r"HTTP/1\.[01] ([0-9]{3})\b", status)
    if code is None:
        raise ValueError("no HTTP")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if fields.get("transfer-encoding", "").lower() == "chunked":
        body = _joined(body)
    elif "content-length" in fields and len(body) != int(fields["content-length"]):
        raise ValueError("a part of it")
    return Answer(int(code[1]), body, fields.get("date", ""))


def _joined(body: bytes) -> bytes:
    """Source: RFC 9112, section 7.1."""
    whole = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        count = int(size.partition(b";")[0], 16)
        if count == 0:
            return whole
        if body[count : count + 2] != b"\r\n":
            raise ValueError("a part of it")
        whole, body = whole + body[:count], body[count + 2 :]


def _cause(error: Exception) -> NoAnswer:
    if isinstance(error, socket.gaierror):
        return NoAnswer("endpoint-unresolved", "its name does not resolve")
    if type(error).__module__ == "ssl":
        return NoAnswer("endpoint-tls", f"TLS failed: {getattr(error, 'verify_message', '') or getattr(error, 'reason', '')}")
    if isinstance(error, (TimeoutError, socket.timeout)):
        return NoAnswer(_UNREACHABLE, "no answer in time")
    if isinstance(error, OSError):
        return NoAnswer(_UNREACHABLE, f"no connection: {reason(error)}")
    return NoAnswer(_UNREACHABLE, f"no whole answer ({error})")
