"""What the configuration asks of the kernel before the agent serves anybody: one line says what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_agent.start import StartRefused

if TYPE_CHECKING:
    from leadglass_agent.sandbox.confine import Reached
    from leadglass_agent.sandbox.posture import Role, SandboxLevel


def require(reached: Reached, role: Role, floor: SandboxLevel) -> None:
    """Raises StartRefused for a process that is confined less than the floor says."""
    if reached.level.is_below(floor):
        why = f" ({reached.reason})" if reached.reason else ""
        message = (
            f"the kernel grants the {role.value.lower()} sandbox level {reached.level.value.lower()}{why}, and "
            f"requireSandbox is {floor.value.lower()}: run it on a kernel and a container runtime that grant more, or "
            f"set requireSandbox to {reached.level.value.lower()}, knowing what is lost"
        )
        raise StartRefused(message)


def require_glass(*, is_there: bool, is_required: bool) -> None:
    """Raises StartRefused where the app could have looked into the agent while it started."""
    if is_required and not is_there:
        message = (
            "other processes of this user can look into the agent, since its interpreter can be read or it runs as "
            "root: use the image, whose interpreter is execute-only, or set requireOneWayGlass to false"
        )
        raise StartRefused(message)
