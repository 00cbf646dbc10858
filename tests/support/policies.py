"""Policies for tests, written as the files that people write."""

from __future__ import annotations

from textwrap import dedent, indent

from leadglass_agent.policy.model import Policy, SessionLimits, SpiffeId
from leadglass_agent.policy.parse import parse_policy

ALICE = SpiffeId("spiffe://demo.leadglass/user/alice")
MALLORY = SpiffeId("spiffe://demo.leadglass/user/mallory")

LIMITS = SessionLimits(
    max_minutes=60, idle_minutes=15, max_open=3, calls_per_minute=120, min_reason_characters=20, ticket_patterns=()
)


def policy_text(rules: str, *, session: str = "", role_session: str = "") -> str:
    """Writes a policy file that gives Alice one role with `rules`; both session blocks are optional."""
    text = dedent(
        f"""\
        apiVersion: leadglass.dev/v1
        kind: AccessPolicy
        metadata:
          name: test
        spec:
          bindings:
            - role: tester
              callers: ["{ALICE}"]
        """
    )
    if session:
        text += "  session:\n" + indent(dedent(session).strip("\n"), "    ") + "\n"
    text += "  roles:\n    - name: tester\n"
    if role_session:
        text += "      session:\n" + indent(dedent(role_session).strip("\n"), "        ") + "\n"
    return text + "      rules:\n" + indent(dedent(rules).strip("\n"), "        ") + "\n"


def policy_of(rules: str, *, session: str = "", role_session: str = "") -> Policy:
    """Reads the policy that `policy_text` writes."""
    return parse_policy(policy_text(rules, session=session, role_session=role_session).encode(), "policy.yaml")
