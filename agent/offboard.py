"""Takes a ring off a machine, once no server's configuration names its files any more. A document of its own carries it.

A terminator does not start without a key file that its configuration names: while one is named, nothing is removed.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import subprocess

from ticketring.clock import Deadline
from ticketring.directory import Directory
from ticketring.result import Failure, emit, note, reason

SECONDS = 100
LIBRARY = "/usr/local/lib/ticketring"
PACKAGED = "/usr/share/doc/ticketring"
UNITS = "/etc/systemd/system"
BOOTED = "/run/systemd/system"
# Where servers' configurations are; what they include and what a running process was given is looked at besides.
ROOTS = ("/etc", "/usr/local/etc", "/usr/local/nginx/conf", "/usr/local/openresty/nginx/conf")
OWN = re.compile(r"/etc/(ticketring/|systemd/system/(.*/)?ticketring-)")
INCLUDED = re.compile(rb"(?:include\w*|lua-load|ExecStart\w*=.*?)[\s:\"']+(/[^\s;\"']+)", re.I)
MOST_FILES, LARGEST, MOST_NAMED = 20_000, 16_777_216, 10
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
            result.update(removed=remove(ring, paths, deadline), offboard="removed")
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
                found += re.findall(r"^[A-Z0-9]+_KEYS=(/\S+)$", file.read(LARGEST), re.M)
    return found


# ---- Whether they are named


def lines_that_name(paths: list[str], deadline: Deadline) -> list[str]:
    """`FILE:LINE` each, without lines that are comments. Raises Failure where not all could be looked at."""
    ours = "|".join(re.escape(path.rstrip("/")) for path in paths)
    pattern = re.compile(rf"(?:{ours})(?![A-Za-z0-9_.@+-])".encode())
    named: list[str] = []
    waiting, seen = [*files_below(ROOTS), *arguments()], set[str]()
    while waiting:
        path = os.path.realpath(waiting.pop())
        if path in seen or OWN.match(path) or not os.path.isfile(path):
            continue
        seen.add(path)
        if len(seen) > MOST_FILES or deadline.passed():
            raise Failure("config-invalid", f"wanted to read every configuration, stopped after {len(seen)} files")
        text = read(path)
        named += [
            f"{path}:{number}"
            for number, line in enumerate(text.split(b"\n"), 1)
            if pattern.search(line) and not line.lstrip().startswith((b"#", b"--"))
        ]
        for included in INCLUDED.findall(text):
            waiting += glob.glob(included.decode("utf-8", "replace"))[:MOST_FILES]
    return sorted(named)


def read(path: str) -> bytes:
    """Empty where it is no text, or larger than any configuration. Raises Failure where it cannot be told."""
    try:
        with open(path, "rb") as file:
            head = file.read(8192)
            rest = b"" if b"\0" in head else file.read(LARGEST)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise Failure("config-invalid", f"cannot read {path}: {reason(error)}") from None
    return b"" if b"\0" in head or len(rest) == LARGEST else head + rest


def files_below(roots: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    seen = set[tuple[int, int]]()
    for root in roots:
        for folder, folders, names in os.walk(root, followlinks=True):
            stat = os.stat(folder)
            if (stat.st_dev, stat.st_ino) in seen:
                folders.clear()
                continue
            seen.add((stat.st_dev, stat.st_ino))
            found += [f"{folder}/{name}" for name in names]
    return found


def arguments() -> list[str]:
    """Files, and files in directories, that running processes were given: a configuration may be anywhere."""
    found: list[str] = []
    own = ancestors()
    for process in filter(str.isdigit, os.listdir("/proc")):
        if process in own:
            continue
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                words = file.read(LARGEST).decode("utf-8", "replace").split("\0")[1:]
            folder = os.readlink(f"/proc/{process}/cwd")
        except OSError:
            continue
        paths = [os.path.join(folder, word.partition("=")[2] if word.startswith("-") else word) for word in words if word]
        found += [path for path in paths if os.path.isfile(path)]
        # A directory after -f is HAProxy's.
        listed = [os.path.join(folder, word) for flag, word in zip(words, words[1:]) if flag in ("-f", "-C", "-p")]
        found += [f"{path}/{name}" for path in listed if os.path.isdir(path) for name in os.listdir(path)]
    return found


def ancestors() -> set[str]:
    """Ourselves and what started us: the agent runs a document as a script, whose text has the paths."""
    own, process = set[str](), str(os.getpid())
    while process not in own and process != "0":
        own.add(process)
        try:
            with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as file:
                process = file.read().rpartition(")")[2].split()[1]
        except OSError:
            break
    return own


# ---- What is removed


def remove(ring: str, keys: list[str], deadline: Deadline) -> list[str]:
    """Removes what is there, in an order that can be begun again."""
    removed: list[str] = []
    remove_units(ring, removed, deadline)
    run = f"/run/ticketring/{ring}"
    # A run that has begun comes to its end first.
    with Directory(run).locked("lock", 30, deadline) if os.path.isdir(run) else contextlib.nullcontext():
        remove_keys(keys, removed)
        remove_directory(run, removed)
    remove_files(LIBRARY, (f"{ring}.conf",), removed)
    if not os.path.isdir(PACKAGED) and not glob.glob(f"{glob.escape(LIBRARY)}/*.conf"):
        remove_programs(removed)
    return removed


def remove_keys(keys: list[str], removed: list[str]) -> None:
    for path in keys:
        if TMPFS.fullmatch(path) is None or "/.." in path:
            raise Failure("path-unsafe", f"wanted key files below /run, /var/run or /dev/shm, found {path}")
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
