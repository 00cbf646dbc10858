"""Generated policies with the grants and requests that ask them, as the policy file spells them.

Each case is made from a seed alone: cases of this size drawn value by value would take a hundred times as long.
"""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Literal, NotRequired, TypeAlias, TypedDict

from leadglass_agent.policy.model import Permission

if TYPE_CHECKING:
    from collections.abc import Sequence


class Processes(TypedDict):
    """One entry of `processes`."""

    names: NotRequired[list[str]]
    executables: NotRequired[list[str]]
    uids: NotRequired[list[int]]


class Rule(TypedDict):
    """One rule."""

    id: str
    effect: Literal["permit", "forbid"]
    permissions: list[str]
    processes: NotRequired[list[Processes]]
    names: NotRequired[list[str]]
    paths: NotRequired[list[str]]


# `from` is a word of Python.
Window = TypedDict("Window", {"days": list[str], "from": str, "until": str})


class EvidenceRule(TypedDict):
    """What a role asks of evidence."""

    amr: NotRequired[list[str]]
    acr: NotRequired[list[str]]
    maxMinutes: int


class Conditions(TypedDict):
    """The conditions of a role."""

    tiers: NotRequired[list[str]]
    windows: NotRequired[list[Window]]
    maxCertificateHours: NotRequired[int]
    evidence: NotRequired[EvidenceRule]


class GrantRule(TypedDict):
    """What a role asks of grants; break-glass asks the same of a reveal."""

    approvals: int
    approvers: list[str]
    maxMinutes: int


class Role(TypedDict):
    """One role."""

    name: str
    rules: list[Rule]
    conditions: NotRequired[Conditions]
    grant: NotRequired[GrantRule]


class Grant(TypedDict):
    """One grant; the selectors that it leaves out are open."""

    id: str
    permissions: list[str]
    approvers: list[str]
    minutes: int
    processes: NotRequired[list[Processes]]
    names: NotRequired[list[str]]
    paths: NotRequired[list[str]]


class Request(TypedDict):
    """One request; `exe` is absent if the executable is unknown, `item` is a name or a path.

    Days count from 0 (Monday), minutes are those of the day, and ages are in minutes; `grants` are the ids of those
    that the caller brings, and who brings no evidence has no `acr`.
    """

    caller: str
    action: Permission
    uid: int
    name: str
    item: str
    day: int
    minute: int
    tier: str
    certificateAge: int
    grants: list[str]
    amr: list[str]
    evidenceAge: int
    acr: NotRequired[str]
    exe: NotRequired[str]


class Case(TypedDict):
    """A policy, the grants that there are, and requests."""

    roles: list[Role]
    bindings: Bindings
    glass: GrantRule
    grants: list[Grant]
    requests: list[Request]


Bindings: TypeAlias = list[tuple[str, list[str]]]

TREE = [Permission.PROCESSES_LIST, Permission.PROCESSES_EXECUTABLE, Permission.PROCESSES_ARGV]
ENVIRONMENT = [Permission.ENV_PRESENCE, Permission.ENV_NAMES, Permission.ENV_REVEAL]
FILES = [Permission.FILES_METADATA, Permission.FILES_LIST]
PLAIN = [Permission.SESSION_OPEN, Permission.AGENT_SELF, Permission.GRANTS_APPROVE, Permission.SESSIONS_END]
FAMILIES = [TREE, ENVIRONMENT, FILES, PLAIN]

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_CALLERS = ["spiffe://td/user/ada", "spiffe://td/user/bob", "spiffe://td/team/a/carol", "spiffe://other/user/ada"]
_CALLER_GLOBS = [*_CALLERS[:3], "spiffe://td/**", "spiffe://td/user/*", "spiffe://td/team/**", "spiffe://td/**/ada"]
_NAME_GLOBS = ["*", "api", "ap*", "*i", "a*i", "DB_*", "*_URL", "DB_URL", "LANG"]
_NAMES = ["api", "ap", "appli", "worker", "DB_URL", "DB_HOST", "LANG", "X_URL", "DB_"]
_PATH_GLOBS = ["/**", "/app/**", "/app", "/app/*", "/**/key", "/app/**/key", "/etc/shop/*", "/etc/**", "/app/key"]
_PATHS = [
    "/",
    "/app",
    "/app/key",
    "/app/a/b/key",
    "/app/a",
    "/etc",
    "/etc/shop/x",
    "/etc/shop/x/y",
    "/key",
    "/application",
]
_TIMES = ["00:00", "06:30", "12:00", "18:45", "23:59"]
_TIERS = ["prod", "non-prod"]
_METHODS = ["pwd", "mfa", "hwk"]
_CLASSES = ["low", "high"]


def case_of(seed: int) -> Case:
    """Makes the case of a seed: policy and requests are mostly about one family, so that rules meet each other."""
    random = Random(seed)  # noqa: S311 - the same case for the same seed, and no secret
    main = random.choice(FAMILIES)
    families = [main, main, main, main, *FAMILIES]
    names = [f"role-{at}" for at in range(random.randint(1, 3))]
    grant_ids = [f"g{at}" for at in range(random.randint(1, 3))]
    return {
        "roles": [_role(random, name, names, families) for name in names],
        "bindings": [(random.choice(names), _some(random, _CALLER_GLOBS)) for _ in range(random.randint(1, 5))],
        "glass": _grant_rule(random, names, [4, 5]),
        "grants": [_grant(random, grant_id, random.choice(families)) for grant_id in grant_ids],
        "requests": [_request(random, random.choice(families), grant_ids) for _ in range(20)],
    }


def _some(random: Random, values: Sequence[str], most: int = 3) -> list[str]:
    return random.sample(values, random.randint(1, min(most, len(values))))


def _role(random: Random, name: str, names: list[str], families: list[list[Permission]]) -> Role:
    has_grant = random.random() < 0.5
    role: Role = {
        "name": name,
        "rules": [
            _rule(random, random.choice(families), f"{name}-rule-{at}", may_reveal=has_grant)
            for at in range(random.randint(1, 5))
        ],
    }
    if random.random() < 0.4:
        role["conditions"] = _conditions(random)
    if has_grant:
        role["grant"] = _grant_rule(random, names, [30, 60])
    return role


def _rule(random: Random, family: list[Permission], rule_id: str, *, may_reveal: bool) -> Rule:
    """Makes a rule of one family; a permit of a reveal is for roles that need a grant."""
    effect: Literal["permit", "forbid"] = "forbid" if random.random() < 0.25 else "permit"
    known = [one for one in family if may_reveal or effect == "forbid" or one is not Permission.ENV_REVEAL]
    rule: Rule = {"id": rule_id, "effect": effect, "permissions": _some(random, [one.value for one in known])}
    if family is not PLAIN and random.random() < 0.4:
        rule["processes"] = _processes(random)
    if family is ENVIRONMENT and (effect == "permit" or random.random() < 0.7):
        rule["names"] = _some(random, _NAME_GLOBS)
    if family is FILES and (effect == "permit" or random.random() < 0.7):
        rule["paths"] = _some(random, _PATH_GLOBS)
    return rule


def _processes(random: Random) -> list[Processes]:
    return [_selector(random) for _ in range(random.randint(1, 2))]


def _selector(random: Random) -> Processes:
    selector: Processes = {}
    keys = _some(random, ["names", "executables", "uids"])
    if "names" in keys:
        selector["names"] = _some(random, _NAME_GLOBS)
    if "executables" in keys:
        selector["executables"] = _some(random, _PATH_GLOBS)
    if "uids" in keys:
        selector["uids"] = random.sample(range(3), random.randint(1, 2))
    return selector


def _conditions(random: Random) -> Conditions:
    conditions: Conditions = {}
    keys = _some(random, ["tiers", "windows", "certificate", "evidence"], most=2)
    if "tiers" in keys:
        conditions["tiers"] = _some(random, _TIERS)
    if "windows" in keys:
        conditions["windows"] = [_window(random) for _ in range(random.randint(1, 2))]
    if "certificate" in keys:
        conditions["maxCertificateHours"] = random.randint(1, 3)
    if "evidence" in keys:
        evidence: EvidenceRule = {"maxMinutes": random.randint(1, 60)}
        if random.random() < 0.5:
            evidence["amr"] = _some(random, _METHODS, most=2)
        if random.random() < 0.5:
            evidence["acr"] = _some(random, _CLASSES)
        conditions["evidence"] = evidence
    return conditions


def _window(random: Random) -> Window:
    """Makes a window, of one day or over midnight."""
    start, until = random.sample([*_TIMES, "24:00"], 2)
    if start == "24:00":
        start, until = until, start
    return {"days": _some(random, DAYS, most=7), "from": start, "until": until}


def _grant_rule(random: Random, names: list[str], minutes: list[int]) -> GrantRule:
    return {
        "approvals": random.choice([1, 1, 2]),
        "approvers": random.choice([names, names, names, _some(random, names), []]),
        "maxMinutes": random.choice(minutes),
    }


def _grant(random: Random, grant_id: str, family: list[Permission]) -> Grant:
    everything = [permission.value for permission in family]
    grant: Grant = {
        "id": grant_id,
        "permissions": random.choice([everything, _some(random, everything)]),
        "approvers": random.choice([_CALLERS, _CALLERS, random.choices(_CALLERS, k=random.randint(0, 4))]),
        "minutes": random.choice([3, 3, 5, 30, 31, 61]),
    }
    if random.random() < 0.3:
        grant["processes"] = _processes(random)
    if random.random() < 0.3:
        grant["names"] = _some(random, _NAME_GLOBS)
    if random.random() < 0.3:
        grant["paths"] = _some(random, _PATH_GLOBS)
    return grant


def _request(random: Random, family: list[Permission], grant_ids: list[str]) -> Request:
    request: Request = {
        "caller": random.choice(_CALLERS),
        "action": random.choice(family),
        "uid": random.randint(0, 2),
        "name": random.choice(_NAMES),
        "item": random.choice(_PATHS if family is FILES else _NAMES),
        "day": random.randint(0, 6),
        "minute": random.choice([0, 389, 390, 720, 1124, 1125, 1439]),
        "tier": random.choice(_TIERS),
        "certificateAge": random.choice([0, 60, 61, 180, 181]),
        "grants": random.choice([grant_ids, grant_ids, _some(random, grant_ids), []]),
        "amr": [],
        "evidenceAge": random.randint(0, 61),
    }
    if random.random() < 0.6:
        request["amr"] = _some(random, _METHODS)
        request["acr"] = random.choice([*_CLASSES, ""])
    if random.random() < 0.6:
        request["exe"] = random.choice(_PATHS)
    return request


def policy_file(case: Case) -> bytes:
    """Writes the policy as JSON, which is YAML."""
    spec = {
        "roles": case["roles"],
        "bindings": [{"role": role, "callers": callers} for role, callers in case["bindings"]],
        "evidence": {"issuer": "https://td", "jwks": "/jwks.json", "audience": "td", "algorithms": ["ES256"]},
        "breakGlass": {**case["glass"], "names": ["*"], "perMonth": 1, "reviewOwed": True},
    }
    whole = {"apiVersion": "leadglass.dev/v1", "kind": "AccessPolicy", "metadata": {"name": "generated"}, "spec": spec}
    return json.dumps(whole, indent=1).encode()
