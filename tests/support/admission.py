"""Does to a pod what the API server does with an admission policy: conditions, variables, a JSON patch, validations.

The expressions are evaluated by a CEL library. It knows no `Object.spec{...}`, so those are first written as maps;
every type and field that they name is checked against the API's own schema of a pod by `unknown_fields`.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Final

from cel_expr_python import cel

from yaml_nodes import Mapping, Node, at, items, mapping, rows, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pod_schema import PodSchema

_TOKEN: Final = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<word>[A-Za-z_][\w.]*)|(?P<other>\s+|.)"""
)
_PATCH_FIELDS: Final = frozenset({"op", "path", "from", "value"})
_ENVIRONMENT: Final = cel.NewEnv(variables={"object": cel.Type.DYN, "variables": cel.Type.DYN})


class CelFailed(Exception):
    """An expression that does not compile, or has no value for this pod."""


def matches(policy: Mapping, pod: Mapping, namespace_labels: Mapping) -> bool:
    """Whether the policy is asked about the creation of this pod, as match constraints and conditions say."""
    constraints = mapping(at(policy, "spec", "matchConstraints"))
    labels = mapping(at(pod, "metadata", "labels"))
    if not _selects(mapping(constraints["namespaceSelector"]), namespace_labels):
        return False
    if not _selects(mapping(constraints.get("objectSelector")), labels):
        return False
    failed: CelFailed | None = None
    for condition in rows(at(policy, "spec", "matchConditions")):
        try:
            if evaluate(text(condition["expression"]), pod, {}) is not True:
                return False
        except CelFailed as error:
            failed = error
    # A condition that fails counts only where no other says no.
    if failed is not None:
        raise failed
    return True


def mutated(policy: Mapping, pod: Mapping) -> Mapping:
    """The pod after the policy's mutations."""
    result = copy.deepcopy(pod)
    for mutation in rows(at(policy, "spec", "mutations")):
        assert mutation["patchType"] == "JSONPatch"
        variables = _variables(policy, result)
        for operation in rows(evaluate(text(at(mutation, "jsonPatch", "expression")), result, variables)):
            assert operation["op"] == "add"
            _add(result, text(operation["path"]), copy.deepcopy(operation["value"]))
    return result


def objections(policy: Mapping, pod: Mapping) -> list[str]:
    """The messages of the validations that the pod fails."""
    return [
        text(validation["message"])
        for validation in rows(at(policy, "spec", "validations"))
        if evaluate(text(validation["expression"]), pod, {}) is not True
    ]


def evaluate(expression: str, pod: Mapping, variables: Mapping) -> Node:
    """The value of an expression; raises CelFailed."""
    try:
        compiled = _ENVIRONMENT.compile("".join(_plain(expression)))
    except RuntimeError as error:
        raise CelFailed(str(error)) from None
    value = compiled.eval(data={"object": pod, "variables": variables})
    if value.type() == cel.Type.ERROR:
        raise CelFailed(str(value.value()))
    node: Node = value.plain_value()
    return node


def unknown_fields(expression: str, schema: PodSchema) -> list[str]:
    """Every field in a typed literal of the expression that a pod, or a JSON patch, does not have."""
    wrong = []
    for kind, field in _fields(expression):
        is_patch = kind == "JSONPatch"
        if field not in _PATCH_FIELDS if is_patch else not schema.has(*kind.split(".")[1:], field):
            wrong.append(f"{kind}.{field}")
    return wrong


def _plain(expression: str) -> Iterator[str]:
    """Writes typed literals as maps: the type's name goes, and field names get quotes."""
    for token, kind, is_field in _read(expression):
        if is_field:
            yield f'"{token}"'
        elif not kind:
            yield token


def _fields(expression: str) -> Iterator[tuple[str, str]]:
    """Every field that a typed literal sets, with its type's name."""
    open_literals: list[str] = []
    name = ""
    for token, kind, is_field in _read(expression):
        if kind:
            name = token
        elif token == "{":
            open_literals.append(name)
            name = ""
        elif token == "}":
            open_literals.pop()
        elif is_field:
            yield open_literals[-1], token


def _read(expression: str) -> Iterator[tuple[str, bool, bool]]:
    """Gives each token, whether it is a literal's type, and whether it is the name of a field in one."""
    tokens = [(match.lastgroup, match[0]) for match in _TOKEN.finditer(expression)]
    is_typed: list[bool] = []
    before = ""
    for index, (group, token) in enumerate(tokens):
        after = next((later for _, later in tokens[index + 1 :] if later.strip()), "")
        is_type = group == "word" and after == "{"
        is_field = group == "word" and after == ":" and before in {"{", ","} and bool(is_typed) and is_typed[-1]
        if token == "{":
            is_typed.append(bool(re.fullmatch(r"[A-Za-z_][\w.]*", before)))
        elif token == "}":
            is_typed.pop()
        yield token, is_type, is_field
        if token.strip():
            before = token


def _variables(policy: Mapping, pod: Mapping) -> Mapping:
    found: Mapping = {}
    for variable in rows(at(policy, "spec", "variables")):
        found[text(variable["name"])] = evaluate(text(variable["expression"]), pod, found)
    return found


def _selects(selector: Mapping, labels: Mapping) -> bool:
    for key, value in mapping(selector.get("matchLabels")).items():
        if labels.get(key) != value:
            return False
    for one in rows(selector.get("matchExpressions")):
        assert one["operator"] == "Exists"
        if one["key"] not in labels:
            return False
    return True


def _add(document: Mapping, pointer: str, value: Node) -> None:
    """RFC 6902, section 4.1: sets a member, inserts before an index, or appends at `-`."""
    *way, last = pointer.split("/")[1:]
    holder: Node = document
    for step in way:
        holder = holder[int(step)] if isinstance(holder, list) else mapping(holder)[step]
    if isinstance(holder, dict):
        holder[last] = value
    else:
        inside = items(holder)
        assert last == "-" or int(last) <= len(inside), pointer
        inside.insert(len(inside) if last == "-" else int(last), value)
