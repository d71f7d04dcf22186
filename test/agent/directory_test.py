"""Directories that several runs make at once."""

import os
import tempfile
import unittest

from ticketring.directory import Directory
from ticketring.result import Failure

# Each step is a chance to meet.
ROUNDS, STEPS, RUNS = 5, 300, 4


class DirectoryTest(unittest.TestCase):
    def test_runs_that_begin_together_on_a_bare_machine_make_one_and_the_same_directory(self):
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory(dir="/dev/shm") as top:
                gate, opener = os.pipe()
                children = [self.child(gate, opener, top + "/a" * STEPS) for _ in range(RUNS)]
                os.close(opener)
                ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
                os.close(gate)
                self.assertEqual(ends, [0] * RUNS)
                self.assertEqual([names for _, names, _ in os.walk(top)], [["a"]] * STEPS + [[]])

    def child(self, gate, opener, path):
        child = os.fork()
        if child:
            return child
        os.close(opener)
        # Ends when the parent has closed its end: all begin at once.
        os.read(gate, 1)
        try:
            Directory(path, make=True)
            os._exit(0)
        except Failure:
            os._exit(1)
        finally:
            os._exit(2)
