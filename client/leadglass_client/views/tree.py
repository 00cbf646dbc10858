"""Orders processes as a tree; a hostile list with cycles or endless depth costs no more than an honest one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from leadglass.v1.inspect_pb2 import Process

# Deeper levels are drawn at this one: branches longer than a screen is wide show nothing.
_MAX_DRAWN_DEPTH = 24


def tree_order(processes: Sequence[Process]) -> Iterator[tuple[str, Process]]:
    """Yields each process once with the branches drawn before it: parents first, siblings by number."""
    by_pid = {process.ref.pid: process for process in processes}
    children: dict[int, list[Process]] = {}
    roots: list[Process] = []
    for process in sorted(by_pid.values(), key=lambda one: one.ref.pid):
        parent = process.parent_pid
        if parent in by_pid and parent != process.ref.pid:
            children.setdefault(parent, []).append(process)
        else:
            roots.append(process)
    left = set(by_pid)
    yield from _walk(roots, children, left)
    for pid in sorted(left):  # what is left hangs on a cycle, which no kernel reports
        if pid in left:
            yield from _walk([by_pid[pid]], children, left)


def _walk(roots: list[Process], children: dict[int, list[Process]], left: set[int]) -> Iterator[tuple[str, Process]]:
    stack = [("", "", process) for process in reversed(roots)]
    while stack:
        branch, indent, process = stack.pop()
        if process.ref.pid not in left:
            continue
        left.discard(process.ref.pid)
        yield branch, process
        below = children.get(process.ref.pid, [])
        deep = len(indent) >= _MAX_DRAWN_DEPTH * 3
        for index, child in enumerate(reversed(below)):
            last = index == 0
            drawn = indent + ("└─ " if last else "├─ ")
            further = indent if deep else indent + ("   " if last else "│  ")
            stack.append((drawn, further, child))
