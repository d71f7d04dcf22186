"""Takes a ring off a machine, once no server's configuration names its files any more. A document of its own carries it.

A terminator does not start without a key file that its configuration names: while one is named, nothing is removed.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import subprocess

from named import lines_that_name
from ticketring.clock import Deadline
from ticketring.directory import Directory
from ticketring.hold import refuse_held
from ticketring.result import Failure, emit, note

SECONDS = 100
LIBRARY = "/usr/local/lib/ticketring"
PACKAGED = "/usr/share/doc/ticketring"
UNITS = "/etc/systemd/system"
BOOTED = "/run/systemd/system"
# Run Command keeps less than 2,500 bytes of what is said.
MOST_NAMED, MOST_REMOVED, LARGEST_SETTINGS = 10, 16, 65_536
TMPFS = re.compile(r"/(run|var/run|dev/shm)/[A-Za-z0-9_./@+-]+")
KEYS_OF_NGINX = ("nginx.current.key", "nginx.next.key", "nginx.previous.key")


def main(ring: str, keys: list[str], mode: str) -> int:
    """`keys`: files of ticket keys, or directories of them, as the ring's document knew them."""
    result: dict[str, object] = {"ring": ring, "offboard": "failed"}
    try:
        deadline = Deadline(SECONDS)
        paths = sorted({*keys, *configured(ring)})
        named = lines_that_name([*paths, f"/run/ticketring/{ring}/"], deadline)
        if named:
            shown = [line[:160] for line in named[:MOST_NAMED]]
            result.update(offboard="named", named=shown, more=len(named) - len(shown))
        elif mode == "remove":
            refuse_others(ring, paths)
            removed = remove(ring, paths, deadline)
            result.update(removed=removed[:MOST_REMOVED], more=max(0, len(removed) - MOST_REMOVED), offboard="removed")
        else:
            result.update(offboard="clear")
    except Failure as failure:
        note(f"{failure.code}: {failure.detail}")
        result.update(error=failure.code, detail=failure.detail)
    except Exception as error:
        result.update(error="internal-error", detail=type(error).__name__)
    emit(result)
    return 0 if result["offboard"] in ("clear", "removed") else 1


def configured(ring: str) -> list[str]:
    """What this machine's settings name besides: its own file goes before the document's."""
    found: list[str] = []
    for path in (f"{LIBRARY}/{ring}.conf", f"/etc/ticketring/{ring}.conf"):
        if os.path.isfile(path):
            with open(path, encoding="ascii", errors="replace") as file:
                settings = re.findall(r"^[A-Z0-9]+_KEYS=(/\S+)$", file.read(LARGEST_SETTINGS), re.M)
            found += [path.rstrip("/") for path in settings]
    return found


# ---- What is removed


def refuse_others(ring: str, paths: list[str]) -> None:
    """Where a path is no key file's, or another ring's: settings may have been copied from one to the other."""
    theirs = {path for other in others(ring) for path in configured(other)}
    for path in paths:
        if TMPFS.fullmatch(path) is None or "/.." in path:
            raise Failure("path-unsafe", f"wanted key files below /run, /var/run or /dev/shm, found {path}")
        below = re.match(r"(?:/var)?/run/ticketring(?:/([^/]+)|$)", path)
        if path in theirs or below is not None and below[1] != ring:
            raise Failure("path-unsafe", f"wanted files of the ring {ring} alone, found {path}, which another one has")


def others(ring: str) -> list[str]:
    found = glob.glob(f"{glob.escape(LIBRARY)}/*.conf") + glob.glob("/etc/ticketring/*.conf")
    return sorted({os.path.basename(path)[: -len(".conf")] for path in found} - {ring})


def remove(ring: str, keys: list[str], deadline: Deadline) -> list[str]:
    """Removes what is there, in an order that can be begun again."""
    removed: list[str] = []
    run = f"/run/ticketring/{ring}"
    if os.path.isdir(run):
        refuse_held(Directory(run))
    remove_units(ring, removed, deadline)
    # A run that has begun comes to its end first.
    with Directory(run).locked("lock", 30, deadline) if os.path.isdir(run) else contextlib.nullcontext():
        remove_keys(keys, removed)
        remove_directory(run, removed)
    remove_files(LIBRARY, (f"{ring}.conf", f"{ring}.before"), removed)
    if not os.path.isdir(PACKAGED) and not glob.glob(f"{glob.escape(LIBRARY)}/*.conf"):
        remove_programs(removed)
    return removed


def remove_keys(keys: list[str], removed: list[str]) -> None:
    for path in keys:
        names = KEYS_OF_NGINX if os.path.isdir(path) else (os.path.basename(path),)
        remove_files(path if os.path.isdir(path) else os.path.dirname(path), names, removed)


def remove_programs(removed: list[str]) -> None:
    """Of no other ring or set, and of no package."""
    for path in glob.glob(f"{glob.escape(LIBRARY)}/{'[0-9a-f]' * 64}"):
        remove_directory(path, removed)
    remove_files(LIBRARY, ("current-ring", "current-staples", ".lock"), removed)


def remove_units(ring: str, removed: list[str], deadline: Deadline) -> None:
    boot, timer = f"ticketring-boot@{ring}.service", f"ticketring-pull@{ring}.timer"
    links = glob.glob(f"{UNITS}/*.wants/ticketring-*@{glob.escape(ring)}.*")
    units = (boot, f"ticketring-pull@{ring}.service", timer)
    if not links and not any(os.path.lexists(f"{UNITS}/{unit}") for unit in units):
        return
    if os.path.isdir(BOOTED):
        systemctl(deadline, "disable", "--now", boot, timer)
    remove_files(UNITS, units, removed)
    if os.path.isdir(BOOTED):
        systemctl(deadline, "daemon-reload")


def systemctl(deadline: Deadline, *words: str) -> None:
    try:
        done = subprocess.run(
            ("systemctl", *words), stdin=subprocess.DEVNULL, capture_output=True, timeout=deadline.left(), check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure("write-failed", f"systemctl {words[0]}: {type(error).__name__}") from None
    if done.returncode != 0:
        raise Failure("write-failed", f"systemctl {words[0]}: {done.stderr.decode('ascii', 'replace').strip()}")


def remove_files(folder: str, names: tuple[str, ...], removed: list[str]) -> None:
    if not os.path.isdir(folder):
        return
    directory = Directory(folder)
    for name in names:
        if directory.stat(name) is not None:
            directory.remove(name)
            removed.append(f"{folder}/{name}")


def remove_directory(path: str, removed: list[str]) -> None:
    if not os.path.isdir(path) or os.path.islink(path):
        return
    directory = Directory(path)
    remove_files(path, tuple(directory.names()), removed)
    os.rmdir(path)
