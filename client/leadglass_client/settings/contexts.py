"""Keeps the named contexts: which agent, which name it must prove, and which certificate to show it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import yaml

from leadglass_client import private_files
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.settings.folders import config_folder
from leadglass_client.settings.strict_document import Node, read_document

if TYPE_CHECKING:
    from pathlib import Path

_API_VERSION = "leadglass.dev/v1"
_KIND = "ClientConfig"
_TOP = frozenset({"apiVersion", "kind", "current", "contexts"})


@dataclass(frozen=True, slots=True)
class Context:
    """One agent and how to reach it; an empty text is not set."""

    name: str
    address: str = ""
    server_name: str = ""
    authority: str = ""
    certificate: str = ""
    key: str = ""


# Names in the file, in the order in which they are written.
_KEYS = {
    "name": "name",
    "address": "address",
    "serverName": "server_name",
    "ca": "authority",
    "certificate": "certificate",
    "key": "key",
}


@dataclass(frozen=True, slots=True)
class Contexts:
    """All contexts, and the name of the one that is used when none is given (empty for none)."""

    current: str = ""
    known: tuple[Context, ...] = ()

    def find(self, name: str) -> Context:
        """Returns the context of this name, or fails with those that there are."""
        for context in self.known:
            if context.name == name:
                return context
        names = ", ".join(context.name for context in self.known) or "none"
        raise Failure(
            ExitCode.USAGE, f"no context is called {name!r}", f"there are: {names}; see: leadglass context list"
        )

    def with_context(self, context: Context) -> Contexts:
        """Returns contexts with this one added or replaced; the first one becomes the current one."""
        others = tuple(known for known in self.known if known.name != context.name)
        return Contexts(self.current or context.name, tuple(sorted((*others, context), key=lambda one: one.name)))

    def without(self, name: str) -> Contexts:
        """Returns contexts without this one, or fails if there is none."""
        gone = self.find(name)
        left = tuple(known for known in self.known if known is not gone)
        return replace(self, current="" if self.current == name else self.current, known=left)


def contexts_path() -> Path:
    """Returns the file that holds the contexts."""
    return config_folder() / "config.yaml"


def read_contexts() -> Contexts:
    """Reads the contexts strictly; no file means no context."""
    path = contexts_path()
    if not path.exists():
        return Contexts()
    document = read_document(path)
    if not isinstance(document, dict) or not set(document) <= _TOP:
        raise _wrong(path, f"only these keys are known: {', '.join(sorted(_TOP))}")
    if (document.get("apiVersion"), document.get("kind")) != (_API_VERSION, _KIND):
        raise _wrong(path, f"apiVersion must be {_API_VERSION} and kind {_KIND}")
    current, listed = document.get("current", ""), document.get("contexts", [])
    if not isinstance(current, str) or not isinstance(listed, list):
        raise _wrong(path, "current must be a name and contexts a list")
    contexts = Contexts(current, tuple(_context(path, node) for node in listed))
    if len({context.name for context in contexts.known}) != len(contexts.known):
        raise _wrong(path, "two contexts have one name")
    return contexts


def write_contexts(contexts: Contexts) -> None:
    """Writes the contexts, in one step and readable by their owner alone."""
    document = {
        "apiVersion": _API_VERSION,
        "kind": _KIND,
        "current": contexts.current,
        "contexts": [
            {key: value for key, field in _KEYS.items() if (value := str(getattr(context, field)))}
            for context in contexts.known
        ],
    }
    private_files.make_directory(contexts_path().parent)
    private_files.replace(contexts_path(), yaml.safe_dump(document, sort_keys=False, allow_unicode=True).encode())


def _context(path: Path, node: Node) -> Context:
    if not isinstance(node, dict) or not node.get("name"):
        raise _wrong(path, "a context is a mapping with a name")
    values: dict[str, str] = {}
    for key, value in node.items():
        if key not in _KEYS or not isinstance(value, str):
            raise _wrong(path, f"in a context {key!r} is unknown or no text; known are {', '.join(_KEYS)}")
        values[_KEYS[key]] = value
    return Context(**values)


def _wrong(path: Path, problem: str) -> Failure:
    next_step = "correct the file, or remove it and run: leadglass context set"
    return Failure(ExitCode.USAGE, f"{path}: {problem}", next_step)
