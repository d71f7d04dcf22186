"""nginx's release, read in its program piece by piece."""

from __future__ import annotations

import os
import pathlib
import tempfile
import unittest

from ticketring.servers.nginx import release_in

SAID = b"nginx version: nginx/1.22.1 (Debian)\n"
PIECE = 65_536


class Release(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = str(pathlib.Path(folder.name, "nginx"))

    def of(self, data: bytes) -> str:
        pathlib.Path(self.file).write_bytes(data)
        return release_in(self.file)

    def test_is_found_wherever_a_piece_ends(self) -> None:
        for before in range(PIECE - len(SAID) - 1, PIECE + 2):
            self.assertEqual(self.of(bytes(before) + SAID + bytes(99)), "1.22.1", before)

    def test_is_found_behind_many_pieces(self) -> None:
        self.assertEqual(self.of(bytes(40 * PIECE) + SAID), "1.22.1")

    def test_is_nothing_where_there_is_none(self) -> None:
        for data in (b"", b"nginx version: ", b"nginx version: nginx/", bytes(2 * PIECE), b"nginx version: nginx/1.2"):
            self.assertEqual(self.of(data), "")

    def test_is_nothing_of_what_is_no_file_and_nothing_waits_for_it(self) -> None:
        os.mkfifo(self.file)
        self.assertEqual(release_in(self.file), "")
        self.assertEqual(release_in("/dev/zero"), "")
        self.assertEqual(release_in(f"{self.file}.none"), "")
