"""What systemd runs on a machine: a boot before the server starts, and every quarter of an hour a pull."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from .directory import Directory
from .process import command
from .result import Failure, note

if TYPE_CHECKING:
    from typing import Mapping

    from .clock import Deadline

# Where a boot finds the program: what is below /run is gone then.
LIBRARY = "/usr/local/lib/ticketring"
_UNITS = "/etc/systemd/system"
# Where systemd runs. Source: sd_booted(3).
_BOOTED = "/run/systemd/system"

# WantedBy=, which is Wants=: whatever comes of it, the server starts. No core holds a key. Key files belong to the server's
# user, and a directory of another user is looked into before it is refused. TimeoutStartSec= is more than the program takes.
_BOOT = """\
[Unit]
Description=ticketring {0} --boot %i
Wants=network-online.target
After=network-online.target
Before={1}

[Service]
Type=oneshot
RemainAfterExit=yes
{2}boot %i
TimeoutStartSec=180
LimitCORE=0
NoNewPrivileges=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectHome=read-only
ProtectSystem={3}
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictSUIDSGID=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER

[Install]
WantedBy={1}
"""
# It runs the server's own test and reload commands, which Run Command takes nothing from either.
_PULL = """\
[Unit]
After={1}

[Service]
Type=oneshot
{2}pull %i
SuccessExitStatus=75
LimitCORE=0
"""
_TIMER = """\
[Timer]
OnCalendar=*:0/15
RandomizedDelaySec=15min
FixedRandomDelay=yes
Persistent=yes

[Install]
WantedBy=timers.target
"""


def texts_of(kind: str, name: str, servers: str, python: str, server: str = "") -> Mapping[str, str]:
    """Names and texts of the three units of a `kind` (ring or staples): boot, pull and its timer."""
    boot, pull = ("boot", "pull") if kind == "ring" else ("staples", "staples-pull")
    told = f"Environment=TICKETRING_SERVER={server}\n" if server else ""
    start = f"{told}ExecStart={python} -IS {LIBRARY}/current-{kind}/ticketring.pyz {kind} --"
    # HAProxy's staples lie beside its certificates, which are below /etc.
    values = (kind, servers, start, "full" if kind == "ring" else "yes")
    units = {f"{boot}@{name}.service": _BOOT, f"{pull}@{name}.service": _PULL, f"{pull}@{name}.timer": _TIMER}
    return {f"ticketring-{unit}": text.format(*values) for unit, text in units.items()}


def keep_units(kind: str, name: str, server: str, wanted: bool, deadline: Deadline) -> None:
    """Of this ring or set: written, enabled and started where they are not what they should be, or taken away."""
    library = os.path.dirname(os.path.dirname(os.path.realpath(sys.path[0])))
    if not os.path.isdir(_BOOTED):
        return
    if library != LIBRARY:
        note(f"no units: runs from {library}")
        return
    try:
        texts = texts_of(kind, name, f"{server}.service", sys.executable, server)
        _settle(Directory(_UNITS), texts if wanted else dict.fromkeys(texts), deadline)
    except Failure as failure:
        note(f"no units: {failure.detail}")


def _settle(units: Directory, texts: Mapping[str, str | None], deadline: Deadline) -> None:
    boot, _, timer = texts
    wanted = texts[boot] is not None
    other = [unit for unit, text in texts.items() if units.read(unit) != (text and text.encode())]
    if not other and os.path.lexists(f"{units.path}/timers.target.wants/{timer}") == wanted:
        return
    if not wanted:
        _systemctl(deadline, "disable", "--now", boot, timer)
    for unit in other:
        text = texts[unit]
        if text is None:
            units.remove(unit)
        else:
            units.replace(unit, text.encode(), 0o644)
    _systemctl(deadline, "daemon-reload")
    if wanted:
        # Links of an earlier release, or to a package's unit, give way.
        _systemctl(deadline, "reenable", boot, timer)
        _systemctl(deadline, "restart", timer)


def _systemctl(deadline: Deadline, *words: str) -> None:
    command(("systemctl", *words), "write-failed", deadline)
