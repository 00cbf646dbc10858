"""Generated policies written in Cedar's language, for a second opinion on each decision."""

from __future__ import annotations

from itertools import combinations

import cedarpy

from generated_policies import (
    DAYS,
    ENVIRONMENT,
    FILES,
    PLAIN,
    Bindings,
    Case,
    Conditions,
    EvidenceRule,
    Grant,
    GrantRule,
    Processes,
    Request,
    Role,
    Rule,
    Window,
)
from leadglass_agent.policy.model import Permission


def cedar_policies(case: Case) -> str:
    """Writes the policy, with the grants that there are as conditions of its permits."""
    return "\n".join(_rule(case, role, rule) for role in case["roles"] for rule in role["rules"])


def cedar_answers(written: str, asked: list[Request]) -> list[bool]:
    """Asks Cedar each request."""
    calls = [
        {
            "principal": 'Caller::"c"',
            "action": f'Action::"{request["action"].value}"',
            "resource": 'Target::"t"',
            "context": {key: value for key, value in request.items() if key != "action"},
        }
        for request in asked
    ]
    answers = cedarpy.is_authorized_batch(calls, written, [])
    assert not any(answer.diagnostics.errors for answer in answers)
    return [answer.decision is cedarpy.Decision.Allow for answer in answers]


def _rule(case: Case, role: Role, rule: Rule) -> str:
    conditions = [_one_of([_path_like("context.caller", glob) for glob in _callers(case["bindings"], [role["name"]])])]
    conditions += _selectors(rule, rule["effect"])
    if rule["effect"] == "permit":
        conditions += _conditions(role.get("conditions", {}))
        if "grant" in role:
            within = [_granted(case, role["grant"], grant) for grant in case["grants"]]
            conditions.append(_one_of([_is_of(PLAIN), *within]))
    actions = ", ".join(f'Action::"{permission}"' for permission in rule["permissions"])
    head = f'@id("{rule["id"]}") {rule["effect"]}(principal, action in [{actions}], resource)'
    return f"{head} when {{ {_all_of(conditions)} }};"


def _selectors(part: Rule | Grant, effect: str) -> list[str]:
    conditions: list[str] = []
    if "processes" in part:
        conditions.append(_one_of([_selected(selector, effect) for selector in part["processes"]]))
    # A grant can be for several families, and its names and paths each bind only those who ask for one.
    if "names" in part:
        fits = [f'context.item like "{pattern}"' for pattern in part["names"]]
        conditions.append(_one_of([f"!{_is_of(ENVIRONMENT)}", *fits]))
    if "paths" in part:
        fits = [_path_like("context.item", pattern) for pattern in part["paths"]]
        conditions.append(_one_of([f"!{_is_of(FILES)}", *fits]))
    return conditions


def _is_of(family: list[Permission]) -> str:
    return _one_of([f'action == Action::"{permission.value}"' for permission in family])


def _selected(part: Processes, effect: str) -> str:
    conditions: list[str] = []
    if "names" in part:
        conditions.append(_one_of([f'context.name like "{pattern}"' for pattern in part["names"]]))
    if "executables" in part:
        fits = _one_of([_path_like("context.exe", pattern) for pattern in part["executables"]])
        # An unknown executable is one that a permit does not know and a forbid does.
        known = f"(context has exe && {fits})"
        conditions.append(known if effect == "permit" else f"(!(context has exe) || {known})")
    if "uids" in part:
        conditions.append(_one_of([f"context.uid == {uid}" for uid in part["uids"]]))
    return _all_of(conditions)


def _conditions(asked: Conditions) -> list[str]:
    conditions: list[str] = []
    if "tiers" in asked:
        conditions.append(_one_of([f'context.tier == "{tier}"' for tier in asked["tiers"]]))
    if "windows" in asked:
        conditions.append(_one_of([_window(window) for window in asked["windows"]]))
    if "maxCertificateHours" in asked:
        conditions.append(f"context.certificateAge <= {asked['maxCertificateHours'] * 60}")
    if "evidence" in asked:
        # Evidence is brought to the opening of a session.
        conditions.append(f"({_is_of([Permission.SESSION_OPEN])} || {_evidence(asked['evidence'])})")
    return conditions


def _window(window: Window) -> str:
    """Says a window minute by minute of the week, so that midnight is nothing special."""
    start, until = (int(text[:2]) * 60 + int(text[3:]) for text in (window["from"], window["until"]))
    length = until - start if until > start else until + 1440 - start
    opened = [DAYS.index(day) * 1440 + start for day in window["days"]]
    at = "context.day * 1440 + context.minute"
    # A window that opens late on Sunday is still open early on Monday, a week further on the same clock.
    weeks = [begin - turn for begin in opened for turn in (0, 7 * 1440)]
    return _one_of([f"({at} >= {begin} && {at} < {begin + length})" for begin in weeks])


def _evidence(rule: EvidenceRule) -> str:
    conditions = ["context has acr", f"context.evidenceAge <= {rule['maxMinutes']}"]
    conditions += [f'context.amr.contains("{method}")' for method in rule.get("amr", [])]
    if "acr" in rule:
        conditions.append(_one_of([f'context.acr == "{name}"' for name in rule["acr"]]))
    return _all_of(conditions)


def _granted(case: Case, rule: GrantRule, grant: Grant) -> str:
    named = _one_of([f'action == Action::"{permission}"' for permission in grant["permissions"]])
    brought = f'context.grants.contains("{grant["id"]}")'
    glass = f"(!{_is_of([Permission.ENV_REVEAL])} || {_approved(case['bindings'], case['glass'], grant)})"
    return _all_of([named, brought, _approved(case["bindings"], rule, grant), glass, *_selectors(grant, "permit")])


def _approved(bindings: Bindings, rule: GrantRule, grant: Grant) -> str:
    """Says that there are so many different people who are not the caller, each with a binding that fits."""
    if grant["minutes"] > rule["maxMinutes"]:
        return "false"
    globs = _callers(bindings, rule["approvers"])
    people = {
        person: _all_of([f'context.caller != "{person}"', _one_of([_path_like(f'"{person}"', glob) for glob in globs])])
        for person in grant["approvers"]
    }
    return _one_of([_all_of(list(chosen)) for chosen in combinations(people.values(), rule["approvals"])])


def _callers(bindings: Bindings, roles: list[str]) -> list[str]:
    return sorted({pattern for role, patterns in bindings if role in roles for pattern in patterns})


def _path_like(value: str, pattern: str) -> str:
    """Says one of the generated path globs with Cedar's `like`, whose `*` crosses slashes."""
    if pattern.endswith("/**"):
        start = pattern.removesuffix("/**")
        return f'({value} == "{start}" || {value} like "{start}/*")'
    if "/**/" in pattern:
        start, end = pattern.split("/**/")
        return f'({value} == "{start}/{end}" || {value} like "{start}/*/{end}")'
    if pattern.endswith("/*"):
        return f'({value} like "{pattern}" && !({value} like "{pattern}/*"))'
    return f'{value} == "{pattern}"'


def _all_of(conditions: list[str]) -> str:
    return f"({' && '.join(conditions)})" if conditions else "true"


def _one_of(conditions: list[str]) -> str:
    return f"({' || '.join(conditions)})" if conditions else "false"
