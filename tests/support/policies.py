"""Policies for tests, written as the files that people write."""

from __future__ import annotations

from textwrap import dedent, indent

from leadglass_agent.policy.model import Policy, SessionLimits, SpiffeId, Tier
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.policy.standing import Standing

ALICE = SpiffeId("spiffe://demo.leadglass/user/alice")
BOB = SpiffeId("spiffe://demo.leadglass/user/bob")
CAROL = SpiffeId("spiffe://demo.leadglass/user/carol")
MALLORY = SpiffeId("spiffe://demo.leadglass/user/mallory")

LIMITS = SessionLimits(
    max_minutes=60, idle_minutes=15, max_open=3, calls_per_minute=120, min_reason_characters=20, ticket_patterns=()
)

# Monday 2024-01-01, noon UTC, in a production pod, with a certificate of an hour ago and nothing else.
NOON = 1_704_110_400
STANDING = Standing(unix_ns=NOON * 1_000_000_000, tier=Tier.PROD, certificate_since_unix=NOON - 3600)


def policy_text(
    rules: str, *, session: str = "", role_session: str = "", role: str = "", spec: str = "", others: str = ""
) -> str:
    """Writes a policy file that gives Alice one role with `rules`.

    Both session blocks are optional, and so are more keys of the role, more keys of `spec`, and the names of other
    roles, each of which Bob and Carol hold and which permit approving grants.
    """
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
    for name in others.split():
        text += f'    - role: {name}\n      callers: ["{BOB}", "{CAROL}"]\n'
    text += _block("session:", session, 2) + _block("", spec, 2)
    text += "  roles:\n"
    for name in others.split():
        text += f"    - {{name: {name}, rules: [{{id: {name}, effect: permit, permissions: [grants.approve]}}]}}\n"
    text += "    - name: tester\n" + _block("session:", role_session, 6) + _block("", role, 6)
    return text + "      rules:\n" + indent(dedent(rules).strip("\n"), "        ") + "\n"


def policy_of(
    rules: str, *, session: str = "", role_session: str = "", role: str = "", spec: str = "", others: str = ""
) -> Policy:
    """Reads the policy that `policy_text` writes."""
    text = policy_text(rules, session=session, role_session=role_session, role=role, spec=spec, others=others)
    return parse_policy(text.encode(), "policy.yaml")


def _block(key: str, lines: str, depth: int) -> str:
    if not lines:
        return ""
    head = " " * depth + key + "\n" if key else ""
    return head + indent(dedent(lines).strip("\n"), " " * (depth + 2 if key else depth)) + "\n"
