"""The certificates of this machine, where the staple of each is kept, and which response is one of them."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from .directory import Directory
from .files import read_public
from .ocsp import Response, find_issuer, read_pem
from .result import Failure, note, reason
from .servers.protocol import Place, Staple

if TYPE_CHECKING:
    from typing import Callable

    from .ocsp import Certificate
    from .servers.protocol import StapleServer

_PEM = re.compile(rb"-----BEGIN ([A-Z0-9]+ )*(CERTIFICATE|PRIVATE KEY)-----")


def find_places(server: StapleServer, complain: Callable[[Failure], None]) -> list[Place]:
    """What one of them lacks is a complaint. Raises Failure config-invalid for one file of two certificates."""
    directories: dict[str, Directory] = {}
    found: dict[str, Place] = {}
    for certificate, path, is_named in server.places():
        try:
            leaf, issuer = _read_chain(certificate)
        except (OSError, ValueError) as error:
            why = reason(error) if isinstance(error, OSError) else str(error)
            trouble = f"wanted a certificate of a positive serial number in {certificate}, found none to read: {why}"
            if is_named:
                complain(Failure("certificate-unreadable", trouble))
            else:
                note(f"leaving out {certificate}: {trouble}")
            continue
        if path in found and found[path].leaf.id != leaf.id:
            raise Failure("config-invalid", f"wanted a staple's file for each certificate, found {path} for two")
        folder, _, name = path.rpartition("/")
        try:
            directory = directories[folder] = directories.get(folder) or Directory(folder, make=True)
            place = Place(certificate, leaf, issuer, directory, name)
            other = foreign_at(server, place)
            if other:
                wanted = f"wanted a file of its staple's own at {path}"
                raise Failure("config-invalid", f"{wanted}, found a certificate, a key or lines of others in {other}")
            found.setdefault(path, place)
        except Failure as failure:
            complain(Failure(failure.code, f"{certificate}: {failure.detail}"))
    return list(found.values())


def foreign_at(server: StapleServer, place: Place) -> str:
    """What a slip in the settings has put in the place of a staple, or of what names it to the server: it stays."""
    for file in server.files(place, b""):
        found, own = file.directory.read(file.name) or b"", (file.data or b"").partition(b"\n")[0]
        if _PEM.search(found) or found.strip() and not found.startswith(own):
            return file.path
    return ""


def _read_chain(path: str) -> tuple[Certificate, Certificate | None]:
    """A certificate, and its issuer's where the file or the one beside it has that."""
    chain = read_pem(read_public(path))
    with contextlib.suppress(OSError, ValueError):
        chain += read_pem(read_public(f"{path}.issuer"))
    return chain[0], find_issuer(chain[0], chain)


def staple_of(place: Place, der: bytes) -> Staple | None:
    """None for a response of other certificates. Raises ValueError for what is none."""
    response = Response(der)
    single = next((each for each in response.singles if each.names(place.leaf, place.issuer)), None)
    return single and Staple(place, der, response, single)


def staple_in(place: Place) -> Staple | None:
    """None too for what is not of this certificate, such as the file of one that was renewed since."""
    data = place.directory.read(place.name) or b""
    with contextlib.suppress(ValueError):
        return staple_of(place, data)
    return None
