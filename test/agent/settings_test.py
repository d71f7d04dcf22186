"""Settings of a set: what would be evaluated elsewhere, or read differently by two, is refused."""

import os
import tempfile
import unittest

from ticketring.result import Failure
from ticketring.__main__ import help_for
from ticketring.settings import HELP, Settings, names_in, parse, read_file

OF_STAPLES = names_in(HELP + help_for("staples"))


class SettingsTest(unittest.TestCase):
    def refused(self, text):
        with self.assertRaises(Failure) as caught:
            parse("the document", text, OF_STAPLES)
        self.assertEqual(caught.exception.code, "config-invalid")

    def test_line_ends_of_another_system_nul_and_marks_are_refused(self):
        for text in ("SERVER=nginx\r\n", "SERVER=ng\0inx\n", "\ufeffSERVER=nginx\n", "SERVER=$(id)\n", "SERVER='nginx'\n", "SERVER\n"):
            with self.subTest(repr(text)):
                self.refused(text)

    def test_a_key_of_a_ring_is_none_of_a_set(self):
        self.refused("SECRET=x\n")

    def test_pairs_are_absolute_paths_with_one_sign_between_them(self):
        for value in ("/a", "/a=", "a=/b", "/a=b", "/a=/b=/c", "/a=/b/../c", ""):
            with self.subTest(value), self.assertRaises(Failure) as caught:
                Settings({"NGINX_STAPLES": value}, "own").pairs("NGINX_STAPLES")
            self.assertEqual(caught.exception.code, "config-invalid")
        pairs = Settings({"NGINX_STAPLES": "/a/b=/c/d /e=/f"}, "own").pairs("NGINX_STAPLES")
        self.assertEqual(pairs, [("/a/b", "/c/d"), ("/e", "/f")])

    def test_a_link_to_a_file_that_is_gone_is_refused_and_no_file_is_none(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/edge.conf"
            self.assertEqual(read_file(path), "")
            os.symlink(f"{folder}/gone", path)
            with self.assertRaises(Failure) as caught:
                read_file(path)
            self.assertEqual(caught.exception.code, "config-invalid")
            self.assertIn("No such file", caught.exception.detail)
