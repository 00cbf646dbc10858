"""Prints each published checkpoint of the audit log: the cluster's log becomes a witness that the agent cannot edit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leadglass_agent.standard_output import StandardOutput


class Witness:
    """Shows checkpoints; it is told by the thread that writes the log, and returns at once."""

    def __init__(self, output: StandardOutput) -> None:
        self._output = output

    def show(self, note: str) -> None:
        """Prints a signed note (C2SP) as one line of JSON."""
        self._output.write(json.dumps({"event": "checkpoint", "note": note}) + "\n")
