"""Reads the raw value of one environment variable, for break-glass and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.errors import PolicyDenied, ProcessNotFound, RevealRefused
from leadglass_agent.views.environment_block import parse_name, read_entries
from leadglass_agent.views.rows import Unavailable
from leadglass_agent.views.target import find, look_at

if TYPE_CHECKING:
    from leadglass_agent.policy.scope import Scope
    from leadglass_agent.views.procfs import ProcRoot
    from leadglass_agent.views.rows import ProcessRef

MAX_VALUE: Final = 32 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class BreakglassValue:
    """The raw value of a variable; it goes from here into the seal and nowhere else."""

    raw: bytes

    def __repr__(self) -> str:
        """Says nothing of the value."""
        return "BreakglassValue(...)"


def read_breakglass_value(proc: ProcRoot, ref: ProcessRef, name: str, scope: Scope) -> BreakglassValue | None:
    """Reads the value as it was at exec, at most 32 KiB; None if the variable is not set.

    Raises ProcessNotFound, InvalidRequest on a name that no variable can have, PolicyDenied alike for every name that
    the scope hides, whether it is set or not, and RevealRefused if the environment cannot be read, or not to its end.
    """
    wanted = parse_name(name)
    with find(proc, ref, scope) as target:
        if not scope.narrow(target.facts).admits_name(name):
            message = "no rule permits revealing this name of this process"
            raise PolicyDenied(message)
        read = read_entries(proc, target)
        if isinstance(read, Unavailable):
            message = f"the environment cannot be read: {read}"
            raise RevealRefused(message)
        if look_at(target.process).facts != target.facts:
            # It became another program meanwhile, which the scope was not asked about.
            raise ProcessNotFound
    value = read.values.get(wanted)
    if value is None:
        if read.complete:
            return None
        message = "the environment is too large, or overwritten by a title, to say whether the name is in it"
        raise RevealRefused(message)
    if len(value) > MAX_VALUE:
        message = "the value is larger than 32 KiB"
        raise RevealRefused(message)
    return BreakglassValue(value)
