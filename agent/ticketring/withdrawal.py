"""What goes whatever else fails: staples that have ended, that are not of their certificate or that no setting names."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from .directory import Directory
from .places import foreign_at
from .result import Failure, note

if TYPE_CHECKING:
    from typing import Callable, Mapping, Sequence

    from .files import File
    from .servers.protocol import Place, Staple, StapleServer


class Withdrawal:
    """Nothing brings back what went. A heedless server may give it until it is told, for which the next run looks too."""

    def __init__(self, server: StapleServer, remembered: Sequence[str]) -> None:
        self._server, self._remembered = server, remembered
        self.places: list[Place] = []
        self.untold: list[File] = []
        """Under another name until the server is told."""
        self._former: list[Place] = []
        self._names: list[str] = []

    def find_untold(self, place: Place) -> None:
        """What a run before this one left, which was killed or could not tell the server."""
        self.untold += self._put_aside(place)

    def _put_aside(self, place: Place) -> list[File]:
        files = self._server.files(place, b"")
        return [file for file in files if file.directory.stat(file.neighbour("old")) is not None]

    def is_owed(self) -> bool:
        """Whether a heedless server is to be told even by a run that fails."""
        return self._server.heedless and bool(self.places or any(map(self._put_aside, self._former)))

    def drop_if_due(self, place: Place, installed: Staple | None, ends: Mapping[bytes, int]) -> bool:
        """What has ended; where the server staples whatever is there, what is not of this certificate either."""
        if installed is not None:
            end = ends.get(installed.der, installed.single.next_update)
            is_due = end is not None and end <= time.time()
        else:
            is_due = self._server.heedless and self._files_of(place) != []
        if is_due:
            self.drop(place, "it has come to its end, or is not of its certificate")
        return is_due

    def drop(self, place: Place, why: str) -> None:
        files = self._files_of(place)
        if not files:
            return
        note(f"withdrawing {place.path}: {why}")
        for file in files:
            if self._server.heedless:
                file.directory.rename(file.name, file.neighbour("old"))
                self.untold.append(file)
            else:
                file.directory.remove(file.name)
        self.places.append(place)

    def _files_of(self, place: Place) -> list[File]:
        return [file for file in self._server.files(place, None) if file.directory.stat(file.name) is not None]

    def forget(self) -> None:
        """Once the server was told."""
        for file in self.untold:
            file.forget("old")

    def drop_former(self, example: Place, complain: Callable[[Failure], None]) -> None:
        """Staples that the settings do not name any more: a heedless server would give them for ever."""
        if not self._server.heedless:
            return
        self._names = [path for _, path, _ in self._server.places()]
        for path in self._remembered:
            folder, _, name = path.rpartition("/")
            if path in self._names or not os.path.isdir(folder):
                continue
            try:
                place = example._replace(certificate="", directory=Directory(folder), name=name)
                if foreign_at(self._server, place):
                    continue
                self.find_untold(place)
                self.drop(place, "the settings do not name it any more")
                self._former.append(place)
            except Failure as failure:
                complain(failure)
                self._names.append(path)

    def paths(self) -> list[str]:
        """For the run that finds one of them named no more."""
        return [*self._names, *(place.path for place in self._former if self._put_aside(place))]
