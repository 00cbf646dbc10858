"""Finds which of our modules the agent can ever import, so that the image holds no code of other programs."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TYPES_ALONE = "TYPE_CHECKING"


def reached_from(start: str, folder: Path) -> frozenset[str]:
    """Follows the imports of a module, also those inside functions; gives module names of its own package.

    `folder` holds the package as sources.
    """
    package = start.partition(".")[0]
    reached: set[str] = set()
    ahead = [start]
    while ahead:
        name = ahead.pop()
        file = _source(name, folder)
        if file is None:
            # The name of something inside a module.
            name, _, _ = name.rpartition(".")
            file = _source(name, folder)
        if file is None or name in reached:
            continue
        reached.add(name)
        ahead.append(name.rpartition(".")[0])
        ahead.extend(one for one in imports_of(file) if one.partition(".")[0] == package)
    return frozenset(reached)


def imports_of(file: Path) -> frozenset[str]:
    """Reads which names a source imports at run time, wherever in it; of `from a import b`, a and a.b."""
    return frozenset(_imported(ast.parse(file.read_bytes())))


def module_of(file: str) -> str:
    """Names the module that a source file, below the folder of packages, is."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _source(name: str, folder: Path) -> Path | None:
    if not name:
        return None
    below = folder / name.replace(".", "/")
    return next((file for file in (below.with_suffix(".py"), below / "__init__.py") if file.is_file()), None)


def _imported(tree: ast.AST) -> Iterator[str]:
    match tree:
        case ast.If(test=ast.Name(id=name), orelse=otherwise) if name == _TYPES_ALONE:
            inside: list[ast.stmt] | Iterator[ast.AST] = otherwise
        case ast.Import(names=names):
            yield from (one.name for one in names)
            return
        case ast.ImportFrom(module=str(module), names=names):
            yield module
            yield from (f"{module}.{one.name}" for one in names)
            return
        case _:
            inside = ast.iter_child_nodes(tree)
    for one in inside:
        yield from _imported(one)
