"""Reads YAML into typed nodes, and takes nodes apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Node: TypeAlias = "dict[str, Node] | list[Node] | str | int | float | bool | None"
Mapping: TypeAlias = "dict[str, Node]"


def documents(text: str) -> tuple[Mapping, ...]:
    """Every document of a stream that is not empty; each is a mapping."""
    return tuple(mapping(document) for document in yaml.safe_load_all(text) if document is not None)


def document(path: Path) -> Mapping:
    """The one document of a file."""
    (only,) = documents(path.read_text(encoding="utf-8"))
    return only


def mapping(node: Node) -> Mapping:
    """The node as a mapping; one that is not there is empty."""
    assert node is None or isinstance(node, dict), node
    return {} if node is None else node


def items(node: Node) -> list[Node]:
    """The node as a list; one that is not there is empty."""
    assert node is None or isinstance(node, list), node
    return [] if node is None else node


def rows(node: Node) -> list[Mapping]:
    """The node as a list of mappings."""
    return [mapping(item) for item in items(node)]


def text(node: Node) -> str:
    """The node as text."""
    assert isinstance(node, str), node
    return node


def number(node: Node) -> int:
    """The node as a whole number."""
    assert isinstance(node, int), node
    assert not isinstance(node, bool), node
    return node


def at(node: Node, *path: str | int) -> Node:
    """What lies at the path; None where something on the way is not there."""
    for step in path:
        if isinstance(node, dict) and isinstance(step, str):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            return None
    return node


def every(node: Node, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Node]]:
    """Every node below and including this one, with its path."""
    yield path, node
    inside: list[tuple[str | int, Node]] = []
    if isinstance(node, dict):
        inside = list(node.items())
    elif isinstance(node, list):
        inside = list(enumerate(node))
    for step, inner in inside:
        yield from every(inner, (*path, step))
