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
    except ImportError as error:
        fail("tool-missing", "wanted Python 3.9 or later with its standard library: " + str(error))
        return
    text = "".join(payload.split())
    if hashlib.sha256(text.encode("ascii", "replace")).hexdigest() != checksum:
        fail("program-damaged", "wanted a program of SHA-256 " + checksum + ", found another")
    try:
        data = lzma.decompress(base64.b85decode(text), lzma.FORMAT_ALONE)
    except MemoryError:
        data = b""
        fail("internal-error", "wanted memory to unpack the program, found too little")
    installer = {}  # type: dict[str, object]  # pyright: ignore[reportTypeCommentUsage]
    exec(compile(data[:size], "install.py", "exec"), installer)
    main = installer["main"]
    if callable(main):
        main(sys.argv[1], command, name, settings, data[size:])


def fail(code: str, detail: str) -> None:
    """The head of the result line is the first argument, as sh prints it too."""
    sys.stdout.write(sys.argv[1] + ',"ms":0,"error":"' + code + '","detail":"' + detail.replace('"', "'") + '"}\n')
    sys.exit(1)
