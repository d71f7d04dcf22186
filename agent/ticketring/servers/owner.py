"""As whom a server's next start reads its key files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..result import Failure

if TYPE_CHECKING:
    from typing import ClassVar, Protocol, Sequence

    from ..files import File

    class Owned(Protocol):
        kind: ClassVar[str]
        owner: int


def refuse_other_owner(server: Owned, user: int, who: str) -> None:
    """As `user` the server's next start reads the files."""
    if user not in (0, server.owner):
        wanted = f"wanted {server.kind.upper()}_OWNER as user {user}, {who}"
        raise Failure("config-invalid", f"{wanted}, found user {server.owner}: its next start could not read the files")


def refuse_other_files(server: Owned, files: Sequence[File]) -> None:
    """Where the server cannot tell as whom its next start reads: as whose the files are there now."""
    for file in files:
        found = file.directory.stat(file.name)
        if found is not None:
            refuse_other_owner(server, found.st_uid, f"whose {file.path} is (chown it where the owner is to change)")
