"""A machine of an Auto Scaling group that has proved the ring completes the hook that kept it from its first connection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .aws import Aws, Metadata, NoRole, Refused
from .clock import Deadline
from .result import Failure, note

if TYPE_CHECKING:
    from typing import Mapping

    from .directory import Directory
    from .settings import Settings

# The state that the last hook was completed on the way to; a boot forgets it.
_FILE = "launched"
_SECONDS = 20


def complete_launch(
    hook: str, settings: Settings, environment: Mapping[str, str], deadline: Deadline, directory: Directory
) -> str:
    """What became of it: completed, none (nothing waits) or failed; empty where there was nothing to do. Raises OSError."""
    groups, deadline = settings.get("LAUNCH_GROUPS").split(), Deadline(_SECONDS, deadline)
    try:
        machine, state = _launching(Metadata(environment, deadline))
        if state.endswith("Terminated") or directory.read(_FILE) == state.encode():
            return ""
        done = _complete(Aws(settings, environment, deadline), groups, hook, machine)
        directory.replace(_FILE, state.encode(), 0o600)
    except NoRole:
        # No machine of EC2, or of no group.
        return ""
    except Failure as failure:
        note(f"the hook {hook} was not completed: {failure.code}: {failure.detail}")
        return "failed"
    return "completed" if done else "none"


def _launching(metadata: Metadata) -> tuple[str, str]:
    """This machine's id, and the state that its group brings it to. Raises NoRole where it is in none."""
    return metadata.get("meta-data/instance-id"), metadata.get("meta-data/autoscaling/target-lifecycle-state")


def _complete(aws: Aws, groups: list[str], hook: str, machine: str) -> bool:
    """Which of the groups is the machine's own, AWS knows."""
    for group in groups:
        try:
            _tell(aws, group, hook, machine)
            return True
        except Refused as refused:
            # No such hook in this group, no such group, or no action that waits for this machine.
            if refused.kind != "ValidationError":
                raise Failure("endpoint-unreachable", refused.said) from None
            note(f"{hook} in {group}: {refused.said}")
    return False


def _tell(aws: Aws, group: str, hook: str, machine: str) -> None:
    """Raises Failure, or Refused."""
    action = "CompleteLifecycleAction"
    form = {"Action": action, "Version": "2011-01-01", "AutoScalingGroupName": group, "LifecycleHookName": hook}
    form.update(InstanceId=machine, LifecycleActionResult="CONTINUE")
    # What else a name may hold means nothing in a form.
    body = "&".join(f"{name}={value}" for name, value in form.items()).replace("+", "%2B")
    aws.post("auto_scaling", action, {"content-type": "application/x-www-form-urlencoded"}, body.encode(), _read)


def _read(body: bytes) -> dict[str, object]:
    """An answer in XML, or an error."""
    names = {"Code": "__type", "Message": "message"}
    found = re.findall("<(Code|Message|RequestId)>([^<]+)<", body.decode("ascii", "replace"))
    return {names.get(str(name), "id"): text for name, text in found}
