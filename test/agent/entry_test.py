"""Entries of the store: as the function writes them, and bent."""

import base64
import hashlib
import json
import os
import unittest

from ticketring.entry import parse_entry

with open(os.environ["TICKETRING_CASES"], encoding="utf-8") as file:
    ENTRIES = json.load(file)["entries"]


class EntryTest(unittest.TestCase):
    def test_what_the_function_writes_is_read(self):
        for case in ENTRIES:
            entry = parse_entry(case["text"], case["id"])
            has_response = case["state"] == "staple"
            self.assertEqual(entry.state, case["state"])
            self.assertEqual(entry.digest, case["digest"] if has_response else "")
            self.assertEqual(entry.haproxy, case["haproxy"] if has_response else "")
            self.assertEqual(hashlib.sha256(entry.der).hexdigest() == case["digest"], has_response)

    def test_each_field_bent_is_refused(self):
        der = base64.b64encode(b"hello").decode()
        for name, value in (
            ("v", 2), ("v", True), ("v", "1"), ("v", 1.0), ("id", "0" * 32), ("id", None), ("state", "stapled"), ("state", 1),
            ("response", der), ("response", "***"), ("response", ""), ("response", "AAAAA"), ("response", 1), ("sha256", "0" * 64),
            ("sha256", None), ("thisUpdate", "yesterday"), ("thisUpdate", "2026-02-30T00:00:00.000Z"), ("end", 5),
            ("end", "0000-01-01T00:00:00.000Z"), ("haproxy", 1), ("haproxy", {}), ("lastFailure", [{}]), ("x", 1.5),
            ("lastFailure", {"a": {"b": 1}}), ("x", float("nan")),
        ):  # fmt: skip
            with self.subTest(name=name, value=value), self.assertRaises(ValueError):
                self.bend(**{name: value})

    def test_fields_that_are_the_functions_own_affair_are_not_looked_at(self):
        self.assertEqual(self.bend(x=1, lastFailure={"x": "y"}, failures=None).state, "staple")

    def bend(self, **changes):
        return parse_entry(json.dumps({**json.loads(ENTRIES[0]["text"]), **changes}), ENTRIES[0]["id"])

    def test_each_field_left_out_is_refused(self):
        for name in ("v", "id", "state", "response", "sha256", "thisUpdate", "end", "haproxy"):
            fields = json.loads(ENTRIES[0]["text"])
            del fields[name]
            with self.subTest(name), self.assertRaises(ValueError):
                parse_entry(json.dumps(fields), ENTRIES[0]["id"])

    def test_what_is_no_flat_json_is_refused(self):
        sound, deep = ENTRIES[0]["text"], "[" * 100_000
        for text in ("", " ", "[]", "1", "null", sound[:-1], sound + "}", sound + sound, "\ufeff" + sound, deep, '{"a":' * 1000,
                     '{"v":1,"v":1}', sound.replace('"v":1', '"v":1,"v":1'), sound + " " * 8192, sound.replace("www", "w\0w")):
            with self.subTest(text[:40]), self.assertRaisesRegex(ValueError, "no flat JSON"):
                parse_entry(text, ENTRIES[0]["id"])
