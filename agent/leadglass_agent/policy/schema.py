"""Writes the JSON Schema of policy files, for editors and CI: `python -m leadglass_agent.policy.schema`."""

from __future__ import annotations

import json
import sys
from typing import Final

import msgspec

from leadglass_agent.policy.document import PolicyFile

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def policy_schema() -> str:
    """Gives the schema as text; whatever it refuses the parser refuses, which also checks what a schema cannot say."""
    schema = {"$schema": _DIALECT, "title": "Leadglass access policy", **msgspec.json.schema(PolicyFile)}
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(policy_schema())
