"""`ticketring ring …` and `ticketring staples …`: one JSON result line on standard output; notes on standard error."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import resource
import signal
import sys
import time
from typing import TYPE_CHECKING

from .aws import passes
from .clock import Deadline
from .request import Request
from .result import Failure, emit, note
from .servers import help_of
from .settings import HELP, Settings, names_in, parse, read_file

if TYPE_CHECKING:
    from typing import Mapping, NoReturn

USAGE = """usage: ticketring ring [--boot|--pull] RING [GENERATION]
       ticketring staples [--boot|--pull] SET [STAPLES]
Settings, KEY=value: the document's, over them /etc/ticketring/RING.conf or SET.staples.conf. A package says what they mean.
"""
# Run Command ends a run after 120 s, and does so without a word; systemd a boot after 180 s.
RUN_SECONDS, BOOT_SECONDS = "100", 150
# EX_TEMPFAIL: the next pull tries again, and the unit calls it no failure.
TRY_AGAIN = 75
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    environment, started = protect(), time.monotonic()
    if any(word in ("--help", "-h") for word in sys.argv[1:]):
        try:
            os.write(1, (USAGE + HELP + help_for("ring") + help_for("staples")).encode("ascii"))
        except OSError:
            return 1
        return 0
    try:
        request = Request(sys.argv[1:], environment)
    except ValueError as error:
        note(str(error))
        with contextlib.suppress(OSError):
            os.write(2, USAGE.encode("ascii"))
        return 2
    fields, trouble = outcome_of(request, environment)
    fields["ms"] = round((time.monotonic() - started) * 1000)
    fields["script"], version = version_of(environment), fields.pop("serverVersion", "")
    if version:
        fields["serverVersion"] = version
    if trouble is not None:
        fields.update(error=trouble.code, detail=trouble.detail)
        if trouble.retry_after:
            fields["retryAfter"] = trouble.retry_after
        note(f"{trouble.code}: {trouble.detail}")
    try:
        emit(fields)
    except OSError:
        return 1
    return status_of(request, str(fields["result"]), trouble)


def status_of(request: Request, result: str, trouble: Failure | None) -> int:
    if result in ("applied", "unchanged", "reset") or request.boot and result == "local-ring":
        return 0
    if request.pull and result == "failed" and trouble is not None:
        return TRY_AGAIN if passes(trouble) or trouble.code == "held-on-machine" else 1
    return 1


def protect() -> dict[str, str]:
    """No core holds a key, no variable changes Python or openssl, no file is made for others. The environment as it was."""
    for number in range(3):
        # A closed one would be the next file's that is opened: the result line must not go there.
        with contextlib.suppress(OSError):
            os.fstat(number)
            continue
        os.open("/dev/null", os.O_RDONLY)
    for name in os.listdir("/proc/self/fd"):
        # Whatever a parent left open is no program's that this one starts.
        with contextlib.suppress(OSError):
            os.set_inheritable(int(name), int(name) < 3)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # That limit does not bind a core that goes to a program; no memory is in this one. Source: core(5).
    with contextlib.suppress(OSError), open("/proc/self/coredump_filter", "w", encoding="ascii") as kinds:
        kinds.write("0")
    os.umask(0o077)
    given = dict(os.environ)
    os.environ.clear()
    path = given.get("PATH", "/usr/bin:/bin")
    os.environ.update({"PATH": f"{path}:/usr/local/sbin:/usr/sbin:/sbin", "LC_ALL": "C"})
    return given


def _interrupt(number: int, _: object) -> NoReturn:
    # What is undone now is undone to its end.
    _ignore_signals()
    raise Failure("interrupted", f"stopped before the end by {signal.Signals(number).name}")


def _ignore_signals() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def outcome_of(request: Request, environment: Mapping[str, str]) -> tuple[dict[str, object], Failure | None]:
    """What goes wrong becomes a failure with a code: no traceback, which could hold a key, is ever printed."""
    run = None
    try:
        for number in _SIGNALS:
            signal.signal(number, _interrupt)
        run = start(request, environment)
        run.run()
        _ignore_signals()
        return {**run.fields(), "serverVersion": run.version}, None
    except Failure as failure:
        _ignore_signals()
        trouble = failure
    except BaseException as error:
        _ignore_signals()
        trouble = Failure("internal-error", f"{type(error).__name__} in {place_of(error)}")
    if run is None:
        nothing = {"ring": request.name, "lineage": "", "generation": 0, "encryptsWith": ""}
        if not request.is_ring:
            nothing = {"staples": request.name, "installed": 0, "withdrawn": 0, "held": 0}
        return {**nothing, "server": "", "result": "failed", "verified": "none"}, trouble
    run.result = run.failing
    return {**run.fields(), "serverVersion": run.version}, trouble


def start(request: Request, environment: Mapping[str, str]):
    """The run that the request asks for. One capability's modules are loaded; a document brings no others."""
    settings = load_settings(request, environment)
    # Of a server that takes its time the document has another time-out, and tells.
    deadline = Deadline(BOOT_SECONDS if request.boot else settings.seconds("RUN_SECONDS", RUN_SECONDS))
    if request.is_ring:
        from . import ring

        return ring.RingRun(request, settings, environment, deadline)
    from . import staples

    return staples.StapleRun(request, settings, environment, deadline)


def help_for(command: str) -> str:
    """The settings of its capability and of its kinds of server; nothing where this program is without it."""
    with contextlib.suppress(ModuleNotFoundError):
        story = importlib.import_module(f"ticketring.{command}")
        return story.HELP + help_of(story.KINDS)
    return ""


def load_settings(request: Request, environment: Mapping[str, str]) -> Settings:
    """What the document brings, which at boot is what the last one left, and over it what the machine's own file says."""
    known = names_in(HELP + help_for("ring" if request.is_ring else "staples"))
    left = os.path.join(os.path.dirname(installed_in()), f"{request.scope}.conf")
    told, origin = environment.get("TICKETRING_SETTINGS"), "the document"
    path = f"{environment.get('TICKETRING_CONF_DIR', '/etc/ticketring')}/{request.scope}.conf"
    if told is None:
        told, origin = read_file(left), left
        hand_over(told, environment)
    values = parse(origin, told, known)
    # Of the unit, which knows what a delivery has found to run here.
    kind = {"SERVER": environment.get("TICKETRING_SERVER", "")}
    return Settings({**kind, **values, **parse(path, read_file(path), known)}, path)


def hand_over(settings: str, environment: Mapping[str, str]) -> None:
    """Documents of several rings may bring several versions: settings are for the one that brought them, while it is kept."""
    library, version = os.path.split(installed_in())
    program = f"{library}/{settings[2:66]}/ticketring.pyz"
    if re.match(r"# [0-9a-f]{64}\n", settings) and settings[2:66] != version and os.path.realpath(program) == program:
        if os.path.isfile(program):
            os.execve(sys.executable, [sys.executable, "-IS", program, *sys.argv[1:]], dict(environment))


def installed_in() -> str:
    """The directory of this version."""
    return os.path.dirname(os.path.realpath(sys.path[0]))


def version_of(environment: Mapping[str, str]) -> str:
    """The first 12 hex digits of the program's hash: the document says it, or the directory's name."""
    for text in (environment.get("TICKETRING_SCRIPT", ""), os.path.basename(installed_in())):
        if re.fullmatch(r"[0-9a-f]{12,64}", text):
            return text[:12]
    return "0" * 12


def place_of(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "unknown" if trace is None else f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
