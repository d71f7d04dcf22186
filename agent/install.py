"""Installs the program that a document carries, and runs it. It travels packed with the program, and nothing of it stays.

Nothing is trusted that another user may write: directories are opened step by step, files are made exclusively and take
their places by renaming, and what is found is what its hash says or is made anew. Whatever fails is a result line.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import time
from typing import TYPE_CHECKING

# A document in which `program` is "installed" has the one of `packaged`.
from carried import bring
from library import LOCK_SECONDS, Version, open_library, precompile
from rollback import goes_back
from ticketring.clock import Deadline
from ticketring.result import Failure, note

if TYPE_CHECKING:
    from typing import NoReturn


def main(head: str, command: str, name: str, settings: str, carried: bytes) -> None:
    """`head` begins a failure's result line; `carried` is the zipapp's SHA-256, and sources, each behind its name."""
    started = time.monotonic()
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, interrupt)
        os.umask(0o022)
        conf = f"{name}.conf" if command == "ring" else f"{name}.staples.conf"
        program = carried[1:65].decode()
        if os.environ.get("SSM_Program") == "keep":
            keep(command, name, conf)
        if os.environ.get("AWS_SSM_INSTANCE_ID", "").startswith("mi-"):
            # No metadata service tells a boot of a hybrid machine what the agent tells a command.
            settings += f"REGION={os.environ.get('AWS_SSM_REGION_NAME', '')}\n"
        if command == "ring" and goes_back(conf, f"# {program}\n{settings}".encode()):
            keep(command, name, conf)
        path = bring(program, carried, f"current-{command}", conf, settings.encode())
        started = time.monotonic()
        run(path, [command, name], settings, program[:12])
    except Failure as trouble:
        failure = trouble
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        failure = Failure("disk-full" if full else "write-failed", f"cannot install the program: {error}")
    except Exception as error:
        failure = Failure("internal-error", f"{type(error).__name__} where the program begins")
    note(f"{failure.code}: {failure.detail}")
    ms = round((time.monotonic() - started) * 1000)
    os.write(1, f'{head},"ms":{ms},"error":"{failure.code}","detail":"{failure.detail}"}}\n'.encode())
    sys.exit(1)


def interrupt(number: int, _: object) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise Failure("interrupted", f"stopped while installing by signal {number}")


def keep(command: str, name: str, conf: str) -> None:
    """Runs what was brought last, as State Manager does to repair. Returns where nothing sound is left of that."""
    library = open_library()
    # Else another run could bring the first program meanwhile, or remove the one that is found.
    with library.locked(".lock", LOCK_SECONDS, Deadline(LOCK_SECONDS)):
        kept = (library.trusted(conf) or b"").decode("ascii", "replace")
        program = kept[2:66]
        if re.fullmatch("[0-9a-f]{64}", program) is None or program not in library.names():
            return
        version = Version(library, program)
        zipapp = version.zipapp()
        if zipapp is None:
            return
        version.hold()
        file = precompile(version, zipapp)
    run(f"{version.path}/{file}", [command, name], kept[67:], program[:12])


def run(path: str, words: list[str], settings: str, version: str) -> NoReturn:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(TICKETRING_SETTINGS=settings, TICKETRING_SCRIPT=version)
    sys.argv = [path, *words]
    sys.path.insert(0, path)
    from ticketring.__main__ import main

    sys.exit(main())
