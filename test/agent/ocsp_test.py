"""Certificates and OCSP responses: what the workshop made, and the same cut off and garbled."""

import base64
import json
import os
import random
import unittest

from ticketring.ocsp import Certificate, Elements, Response, find_issuer, read_pem

with open(os.environ["TICKETRING_CASES"], encoding="utf-8") as file:
    CASES = json.load(file)


def pem_of(*ders):
    blocks = [base64.encodebytes(der).decode() for der in ders]
    return "".join(f"-----BEGIN CERTIFICATE-----\n{block}-----END CERTIFICATE-----\n" for block in blocks).encode()


class CertificateTest(unittest.TestCase):
    def test_the_id_is_the_one_that_the_function_computes(self):
        for case in CASES["certificates"]:
            with self.subTest(case["what"]):
                self.assertEqual(Certificate(base64.b64decode(case["der"])).id, case["id"])

    def test_the_first_of_a_file_is_its_certificate_and_must_be_readable(self):
        first, second = (base64.b64decode(case["der"]) for case in CASES["certificates"][:2])
        for text in (pem_of(first, second), b"words\r\n" + pem_of(first).replace(b"\n", b"\r\n") + pem_of(second)):
            self.assertEqual([each.der for each in read_pem(text)], [first, second])
        for text in (b"", b"nothing", pem_of(first[:-1], second), pem_of(second).replace(b"M", b"*", 1)):
            with self.assertRaises(ValueError):
                read_pem(text)

    def test_openssls_trusted_form_counts_without_what_follows_the_certificate(self):
        first, second = (base64.b64decode(case["der"]) for case in CASES["certificates"][:2])
        trusted = pem_of(first + bytes.fromhex("3000")).replace(b" CERTIFICATE", b" TRUSTED CERTIFICATE")
        self.assertEqual([each.der for each in read_pem(trusted + pem_of(second))], [first, second])

    def test_one_of_a_chain_that_cannot_be_read_is_left_out(self):
        first, second = (base64.b64decode(case["der"]) for case in CASES["certificates"][:2])
        self.assertEqual(len(read_pem(pem_of(first, second[:-1]))), 1)

    def test_a_serial_number_that_is_negative_or_not_written_shortest_is_refused(self):
        sound = base64.b64decode(CASES["certificates"][0]["der"])
        serial = Certificate(sound).serial
        for octets in (bytes((serial[0] | 0x80,)) + serial[1:], b"\0" + serial[1:], b"\0\0" + serial[2:]):
            bent = sound.replace(bytes((2, len(serial))) + serial, bytes((2, len(octets))) + octets, 1)
            self.assertNotEqual(bent, sound)
            if octets[0] & 0x80 or not octets[1] & 0x80:
                with self.assertRaises(ValueError):
                    Certificate(bent)


class ResponseTest(unittest.TestCase):
    def test_it_names_its_certificate_by_all_four_fields(self):
        for case in CASES["responses"]:
            with self.subTest(case["what"]):
                leaf, issuer = read_pem(case["leaf"].encode())[0], read_pem(case["issuer"].encode())[0]
                (single,) = Response(base64.b64decode(case["der"])).singles
                self.assertEqual(single.names(leaf, find_issuer(leaf, [leaf, issuer])), case["names"])
                self.assertEqual(single.next_update, case["until"])
                self.assertEqual(single.this_update, CASES["now"] - 3600)
                self.assertEqual(single.status, "unknown" if case["what"].endswith("unknown") else "good")

    def test_without_the_issuers_certificate_its_name_counts_and_its_key_does_not(self):
        for case in CASES["responses"]:
            leaf = read_pem(case["leaf"].encode())[0]
            (single,) = Response(base64.b64decode(case["der"])).singles
            self.assertEqual(single.names(leaf, None), case["names"] or case["what"].endswith("of another key"))

    def test_the_cert_id_is_the_one_that_the_response_holds(self):
        for case in CASES["responses"]:
            if case["what"].endswith(", sound"):
                der = base64.b64decode(case["der"])
                self.assertIn(Response(der).singles[0].cert_id(), der)


class GarbledTest(unittest.TestCase):
    """Whatever the octets are: they are read, or ValueError says why not."""

    def samples(self):
        yield Certificate, base64.b64decode(CASES["certificates"][0]["der"])
        yield Response, base64.b64decode(CASES["responses"][0]["der"])

    def test_what_is_cut_off_or_has_more_at_its_end_is_refused(self):
        for kind, der in self.samples():
            for length in range(len(der)):
                with self.assertRaises(ValueError):
                    kind(der[:length])
            with self.assertRaises(ValueError):
                kind(der + b"\0")

    def test_any_octet_changed(self):
        chance = random.Random(1)
        for kind, der in self.samples():
            for at in range(len(der)):
                bent = bytearray(der)
                bent[at] ^= chance.randrange(1, 256)
                self.read(kind, bytes(bent))

    def test_octets_taken_out_put_in_and_nested(self):
        chance = random.Random(2)
        for kind, der in self.samples():
            for _ in range(3000):
                start, end = sorted(chance.randrange(len(der)) for _ in range(2))
                self.read(kind, der[:start] + bytes(chance.randrange(256) for _ in range(chance.randrange(5))) + der[end:])
        self.read(Response, b"\x30\x80" * 5000)
        self.read(Certificate, b"\x30\x84\xff\xff\xff\xff")

    def read(self, kind, data):
        try:
            kind(data)
        except ValueError:
            pass

    def test_a_length_is_written_shortest(self):
        for head in (b"\x30\x80", b"\x30\x81\x01", b"\x30\x82\x00\x81", b"\x30\x85\x00\x00\x00\x00\x01"):
            for rest in (b"", b"\x01", bytes(200)):
                with self.subTest(head=head, rest=rest), self.assertRaises(ValueError):
                    Elements(head + rest).take(0x30)
        self.assertEqual(len(Elements(b"\x30\x81\xc8" + bytes(200)).take(0x30).content), 200)


class IssuerTest(unittest.TestCase):
    def test_a_name_in_another_case_type_or_spacing_is_the_same_name(self):
        case = CASES["responses"][0]
        leaf, issuer = read_pem(case["leaf"].encode())[0], read_pem(case["issuer"].encode())[0]
        subject = bytearray(issuer.subject)
        at = subject.index(b"\x0c")
        subject[at] = 0x13
        subject[at + 2 :] = bytes(subject[at + 2 :]).lower()
        other = Certificate(issuer.der)
        other.subject = bytes(subject)
        self.assertNotEqual(other.subject, leaf.issuer)
        self.assertIs(find_issuer(leaf, [leaf, other]), other)
        other.subject = bytes(subject[:-1] + b"x")
        self.assertIsNone(find_issuer(leaf, [leaf, other]))
