"""Whoever takes over a file worker reads below its root and nowhere else: not the agent's key, not an environment."""

from __future__ import annotations

import errno
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from leadglass_agent.sandbox import landlock
from leadglass_agent.sandbox.confine import confine_file_worker
from sample_processes import answer_of, running

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not landlock.abi(), reason="this kernel, or what runs us, offers no Landlock")


def _error(call: Callable[[], object]) -> int:
    try:
        call()
    except OSError as error:
        return error.errno or -1
    return 0


def _reads(*paths: Path) -> list[int]:
    # As an attacker would: by plain opens, and not by the worker's own careful ones.
    return [_error(partial(os.open, path, os.O_RDONLY)) for path in paths]


def test_it_opens_what_lies_below_its_root_and_nothing_else(tmp_path: Path) -> None:
    root, key = tmp_path / "root", tmp_path / "tls.key"
    root.mkdir()
    (root / "app.log").write_text("of the app\n")
    key.write_text("of the agent\n")
    (root / "link.log").symlink_to(key)
    with running() as pid:
        outside = (
            key,
            root / "link.log",
            Path(f"/proc/{pid}/environ"),
            Path(f"/proc/{pid}/root/etc"),
            Path("/etc/passwd"),
        )

        def taken_over() -> object:
            before = _reads(root / "app.log", *outside)
            confine_file_worker(os.open(root, os.O_PATH | os.O_DIRECTORY))
            return [before, _reads(root / "app.log"), _reads(*outside)]

        before, inside, refused = [0] * (1 + len(outside)), [0], [errno.EACCES] * len(outside)
        assert answer_of(taken_over) == [before, inside, refused]
