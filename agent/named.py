"""Which lines on a machine name certain files: in configurations, in links, and in what containers were given."""

from __future__ import annotations

import glob
import os
import re
from itertools import islice
from typing import TYPE_CHECKING

from ticketring.result import Failure, reason

if TYPE_CHECKING:
    from typing import Iterator

    from ticketring.clock import Deadline

# Where servers' configurations are; what they include and what a running process was given is looked at besides.
ROOTS = (
    "/etc",
    "/usr/local/etc",
    "/usr/local/openresty/nginx/conf",
    *(f"{place}/*/{name}" for place in ("/opt", "/usr/local") for name in ("conf", "etc")),
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/transient",
)
OWN = re.compile(r"/etc/(ticketring/|systemd/system/(.*/)?ticketring-)")
INCLUDED = re.compile(rb"(?:include\w*|lua-load|dofile|!file)[ \t:(\"']+([^\s;)\"']+)", re.I)
STARTED = re.compile(rb"^\s*ExecStart\w*=(.*(?:\\\n.*)*)", re.M)
MOST_FILES, LARGEST = 20_000, 16_777_216


def lines_that_name(paths: list[str], deadline: Deadline) -> list[str]:
    """`FILE:LINE` each, without lines that are comments; a link alone. Raises Failure where not all could be looked at."""
    known = {path.rstrip("/") for path in paths}
    known |= {os.path.realpath(path) for path in known} | {re.sub("^/var/run/", "/run/", path) for path in known}
    pattern = re.compile(rf"(?:{'|'.join(map(re.escape, known))})(?![A-Za-z0-9_.@+-])".encode())
    named, seen = mounts_of(known), set[str]()
    waiting = [*files_below([place for root in ROOTS for place in glob.glob(root)]), *arguments()]
    while waiting:
        link = waiting.pop()
        path = os.path.realpath(link)
        if path != link and pattern.match(os.fsencode(path)):
            named.append(link)
        if path in seen or OWN.match(path) or not os.path.isfile(path):
            continue
        seen.add(path)
        if len(seen) > MOST_FILES or deadline.passed():
            raise Failure("config-invalid", f"wanted to read every configuration, stopped after {len(seen)} files")
        text = read(path)
        named += [
            f"{path}:{number}"
            for number, line in enumerate(text.split(b"\n"), 1)
            if pattern.search(re.sub(rb"/(?:\.?/)+", b"/", line)) and not re.match(rb"\s*(#|--(\s|\[|$))", line)
        ]
        waiting += included(path, text)
    return sorted(set(named))


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


def included(path: str, text: bytes) -> list[str]:
    """What it includes, also from where it is, and what a unit of systemd starts its program with."""
    folder, found = os.path.dirname(path), list[str]()
    for word in INCLUDED.findall(text):
        for place in islice(glob.iglob(os.path.join(glob.escape(folder), os.fsdecode(word))), MOST_FILES):
            # Lua of dnsdist includes a directory.
            found += [f"{place}/{name}" for name in os.listdir(place)] if os.path.isdir(place) else [place]
    for line in STARTED.findall(text):
        found += given([os.fsdecode(word).strip("\"'") for word in line.replace(b"\\\n", b" ").split()], "/")
    return found


def files_below(roots: list[str]) -> list[str]:
    """Raises Failure for a directory that cannot be read."""
    found: list[str] = []
    seen = set[tuple[int, int]]()
    for root in roots:
        for folder, folders, names in os.walk(root, onerror=refuse_unread, followlinks=True):
            stat = os.stat(folder)
            if (stat.st_dev, stat.st_ino) in seen:
                folders.clear()
                continue
            seen.add((stat.st_dev, stat.st_ino))
            found += [f"{folder}/{name}" for name in names]
            # A link to a directory that holds none of the files yet.
            found += [f"{folder}/{name}" for name in folders if os.path.islink(f"{folder}/{name}")]
            if len(found) > 2 * MOST_FILES:
                raise Failure("config-invalid", f"wanted to read every configuration, found {len(found)} files below {root}")
    return found


def refuse_unread(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise Failure("config-invalid", f"cannot read {error.filename}: {reason(error)}") from None


# ---- Of what runs


def processes() -> Iterator[str]:
    own = ancestors()
    return (process for process in os.listdir("/proc") if process.isdigit() and process not in own)


def arguments() -> list[str]:
    """Files, and files in directories, that running processes were given: a configuration may be anywhere."""
    found: list[str] = []
    for process in processes():
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                first, *words = os.fsdecode(file.read(LARGEST)).split("\0")
            folder, program = (os.readlink(f"/proc/{process}/{name}") for name in ("cwd", "exe"))
        except OSError:
            continue
        # The words of nginx are one: its title.
        found += given([*words, *first.split()[1:]], folder)
        # What was built for a place of its own may be told of no file: its configuration is beside it.
        prefix = os.path.dirname(os.path.dirname(program))
        if prefix not in ("/", "/usr", "/usr/local", "/usr/lib"):
            found += files_below([f"{prefix}/conf", f"{prefix}/etc"])
    return found


def given(words: list[str], folder: str) -> list[str]:
    paths: list[str] = []
    for flag, word in zip(["", *words], words):
        # Of -c/path, --config=/path and path.
        value = (word.partition("=")[2] or word[2:]) if word.startswith("-") else word
        path = os.path.join(folder, value) if value else ""
        if os.path.isfile(path):
            paths.append(path)
        # A directory after -f is HAProxy's, one after -p the prefix of nginx.
        elif flag in ("-f", "-C", "-p") and os.path.isdir(path):
            paths += [f"{path}/{name}" for name in os.listdir(path)]
            paths += files_below([f"{path}/conf"]) if flag == "-p" else []
    return paths


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


def mounts_of(paths: set[str]) -> list[str]:
    """`/proc/PID/mountinfo:LINE` where a container, whose configuration is its own, was given these files."""
    inner = {place for path in paths for place in [place_of(path)] if place is not None}
    here, named, seen = os.stat("/"), list[str](), set[str]()
    for process in processes():
        try:
            space = os.readlink(f"/proc/{process}/ns/mnt")
            if space in seen or os.path.samestat(os.stat(f"/proc/{process}/root"), here):
                continue
            seen.add(space)
            with open(f"/proc/{process}/mountinfo", encoding="utf-8", errors="replace") as file:
                lines = file.read().split("\n")
        except OSError:
            continue
        for number, line in enumerate(lines, 1):
            _, _, device, root, *_ = [*line.split(), *[""] * 4]
            if any(device == known and holds(root, path) for known, path in inner):
                named.append(f"/proc/{process}/mountinfo:{number}")
    return named


def place_of(path: str) -> tuple[str, str] | None:
    """Its file system, and its path there."""
    try:
        device = os.stat(path).st_dev
    except OSError:
        return None
    top = os.path.realpath(path)
    while not os.path.ismount(top):
        top = os.path.dirname(top)
    return f"{os.major(device)}:{os.minor(device)}", "/" + os.path.relpath(os.path.realpath(path), top)


def holds(root: str, path: str) -> bool:
    """A container that was given the whole file system, as monitors are, is not told from others."""
    return root not in ("", "/") and (f"{path}/".startswith(f"{root}/") or f"{root}/".startswith(f"{path}/"))
