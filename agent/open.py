"""Opens what a document carries: the installer and the program, packed together. Of a damaged one nothing runs.

A Python that is too old must be able to read this, to say so: no newer syntax, no types that are worked out.
"""

import sys


def run(command: str, name: str, settings: str, size: int, checksum: str, payload: str) -> None:
    """Packed in the payload, of whose digits `checksum` is the SHA-256: an installer of `size` bytes, and the program."""
    try:
        if sys.version_info < (3, 9):
            raise ImportError("found " + sys.version.split()[0])
        import base64
        import hashlib
        import lzma

        text = "".join(payload.split())
        if hashlib.sha256(text.encode()).hexdigest() == checksum:
            data = lzma.decompress(base64.b85decode(text), lzma.FORMAT_ALONE)
            installer = {}  # type: dict[str, object]  # pyright: ignore[reportTypeCommentUsage]
            exec(data[:size], installer)
            main = installer["main"]
            if callable(main):
                main(sys.argv[1], command, name, settings, data[size:])
    except ImportError as error:
        fail("tool-missing", "wanted Python 3.9 or later with its standard library: " + str(error))
    except MemoryError:
        fail("internal-error", "wanted memory to unpack the program, found too little")
    fail("program-damaged", "wanted a program of SHA-256 " + checksum + ", found another")


def fail(code: str, detail: str) -> None:
    """The head of the result line is the first argument, as sh prints it too."""
    print(sys.argv[1] + ',"ms":0,"error":"' + code + '","detail":"' + detail.replace('"', "'") + '"}')
    sys.exit(1)
