"""Opens what a document carries: the installer and the program, packed together. Of a damaged one nothing runs.

A Python that is too old must be able to read this, to say so: no newer syntax, no types that are worked out.
"""

import sys


def run(command: str, name: str, settings: str, size: int, checksum: str, payload: str) -> None:
    """Packed in the payload, of whose digits `checksum` is the SHA-256: sources, of which `size` bytes are the installer's."""
    try:
        if sys.version_info < (3, 9):
            raise ImportError("found " + sys.version.split()[0])
        import bz2
        import hashlib

        text = payload.replace("\n", "").encode()
        if hashlib.sha256(text).hexdigest() == checksum:
            data = bz2.BZ2Decompressor().decompress(decoded(text))
            installer = {"main": print}
            # What its modules import from each other is there: they are one text.
            exec(data[:size].replace(b"\nfrom .", b"\n#"), installer)
            installer["main"](sys.argv[1], command, name, settings, data)
    except ImportError as error:
        fail("tool-missing", "wanted Python 3.9 or later with its standard library: " + str(error))
    # Of an import that gets no memory Python may say the latter.
    except (MemoryError, SystemError):
        fail("internal-error", "wanted memory for the program, found too little")
    fail("program-damaged", "wanted a program of SHA-256 " + checksum + ", found another")


def decoded(text: bytes) -> bytes:
    """27 digits of base 92 say 22 bytes. All at once, each in a lane of one great number: one by one takes much longer."""
    # Printable, without quotes and backslashes.
    alphabet = bytes(n for n in range(33, 127) if n not in (34, 92))
    digits = text.translate(bytes.maketrans(alphabet, bytes(range(92))))
    number, size = 0, len(text) // 27 * 22
    for place in range(27):
        lanes = bytearray(size)
        lanes[21::22] = digits[place::27]
        number = number * 92 + int.from_bytes(lanes, "big")
    return number.to_bytes(size, "big")


def fail(code: str, detail: str) -> None:
    """The head of the result line is the first argument, as sh prints it too."""
    print(sys.argv[1] + ',"ms":0,"error":"' + code + '","detail":"' + detail.replace('"', "'") + '"}')
    sys.exit(1)
