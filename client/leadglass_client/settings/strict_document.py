"""Reads a small YAML file of mappings, lists and strings strictly: one document, no duplicate key, alias or tag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

import yaml

from leadglass_client.errors import ExitCode, Failure

if TYPE_CHECKING:
    from pathlib import Path

Node: TypeAlias = "str | list[Node] | dict[str, Node]"

_MAX_BYTES = 256 * 1024  # thousands of contexts
_MAX_DEPTH = 8


def read_document(path: Path) -> Node:
    """Reads the file, or fails with file:line:column; every scalar is the string that stands there."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise _broken(str(path), f"{error.strerror}") from error
    if len(content) > _MAX_BYTES:
        raise _broken(str(path), f"more than {_MAX_BYTES} bytes")
    try:
        text = content.decode()
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            _refuse_sharing(path, event)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH:
                raise _broken(_place(path, event.start_mark), "nested too deeply")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise _broken(str(path), "not UTF-8") from error
    except yaml.MarkedYAMLError as error:
        raise _broken(_place(path, error.problem_mark), error.problem or "not YAML") from error
    except yaml.YAMLError as error:
        raise _broken(str(path), "not YAML") from error
    if root is None:
        raise _broken(str(path), "empty")
    return _node(path, root)


def _refuse_sharing(path: Path, event: yaml.Event) -> None:
    anchored = isinstance(event, yaml.NodeEvent) and event.anchor is not None
    tagged = isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None
    if anchored or tagged:
        raise _broken(_place(path, event.start_mark), "an anchor, alias or tag is not accepted here")


def _node(path: Path, node: yaml.Node) -> Node:
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_node(path, item) for item in node.value]
    result: dict[str, Node] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _broken(_place(path, key.start_mark), "a key must be a word")
            if key.value in result:
                raise _broken(_place(path, key.start_mark), f"the key {key.value!r} stands twice")
            result[key.value] = _node(path, value)
    return result


class _Mark(Protocol):
    line: int
    column: int


def _place(path: Path, mark: _Mark | None) -> str:
    return str(path) if mark is None else f"{path}:{mark.line + 1}:{mark.column + 1}"


def _broken(place: str, problem: str) -> Failure:
    return Failure(
        ExitCode.USAGE, f"{place}: {problem}", "correct the file, or remove it and run: leadglass context set"
    )
