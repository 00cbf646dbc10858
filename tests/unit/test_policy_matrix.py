"""The page of who may do what says what the code says, and a call without a row makes it stale."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from leadglass_agent.api.matrix import PAGE, SHIPPED, page, read_shipped
from leadglass_agent.api.methods import METHODS
from leadglass_agent.policy.decide import Allow, decide
from leadglass_agent.policy.model import Binding, Permission, Policy, SpiffeId, Tier
from leadglass_agent.policy.standing import Standing

_ROOT = Path(__file__).parents[2]
_NOON = 1_767_614_400
_ADA = SpiffeId("spiffe://test/ada")


def matrix(*arguments: str, folder: Path) -> int:
    command = [sys.executable, "-m", "leadglass_agent.api.matrix", *arguments]
    environment = {**os.environ, "PYTHONPATH": f"{_ROOT / 'agent'}:{_ROOT / 'protos' / 'gen'}"}
    done = subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=300
    )
    return done.returncode


def tables() -> dict[str, dict[tuple[str, str], str]]:
    """Reads the page back: policy → (permission, role) → cell."""
    found: dict[str, dict[tuple[str, str], str]] = {}
    for name, body in re.findall(r"### `(\w+)`\n\n(.*?)(?=\n\n|\Z)", (_ROOT / PAGE).read_text(), re.DOTALL):
        head, _, *lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in body.strip().split("\n")]
        found[name] = {
            (line[0].strip("`"), role): cell for line in lines for role, cell in zip(head[1:], line[1:], strict=True)
        }
    return found


def test_the_committed_page_is_what_the_code_says() -> None:
    assert (_ROOT / PAGE).read_text(encoding="utf-8") == page(read_shipped(_ROOT))


def test_the_check_fails_where_the_page_is_stale(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "policies").symlink_to(_ROOT / "policies")
    assert matrix("--check", folder=tmp_path) == 1
    assert matrix("--write", folder=tmp_path) == 0
    assert matrix("--check", folder=tmp_path) == 0
    (tmp_path / PAGE).write_text((tmp_path / PAGE).read_text().replace("grant", "yes", 1))
    assert matrix("--check", folder=tmp_path) == 1
    assert matrix(folder=tmp_path) == 2


def test_every_call_and_every_permission_has_a_row() -> None:
    text = (_ROOT / PAGE).read_text(encoding="utf-8")
    for method in METHODS:
        assert f"| `{method.name.rpartition('.')[2].replace('/', '.')}` | `{method.needs}` |" in text
    assert text.count("| `") - len(METHODS) >= len(Permission) * len(SHIPPED)
    assert {permission for cells in tables().values() for permission, _ in cells} == set(Permission)


def held_by_role(policy: Policy, role: str, permission: Permission, tier: Tier) -> bool:
    alone = replace(policy, bindings=(Binding(role, (_ADA,)),))
    standing = Standing(_NOON * 1_000_000_000, tier, _NOON - 300)
    return isinstance(decide(alone, _ADA, permission, standing), Allow)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_cell_says_yes_where_the_role_alone_is_enough_and_nowhere_else(name: str) -> None:
    policy = next(one for one in read_shipped(_ROOT) if one.name == name)
    cells = tables()[name]
    assert {role for _, role in cells} == {role.name for role in policy.roles}
    for (permission, role), cell in cells.items():
        words = cell.split(" / ") if " / " in cell else [cell, cell]
        for tier, word in zip(Tier, words, strict=True):
            assert (word == "yes") is held_by_role(policy, role, Permission(permission), tier)


def test_the_page_follows_the_policy() -> None:
    policies = read_shipped(_ROOT)
    for at, policy in enumerate(policies):
        changed = (*policies[:at], replace(policy, roles=policy.roles[1:]), *policies[at + 1 :])
        assert page(changed) != (_ROOT / PAGE).read_text(encoding="utf-8")
