"""Lays files out as the kubelet mounts them: links into `..data`, which one rename swaps for another directory."""

from __future__ import annotations

import os
import shutil
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Mount:
    """A mounted ConfigMap or Secret, whose files are replaced all at once."""

    def __init__(self, folder: Path, files: Mapping[str, bytes]) -> None:
        self.folder = folder
        folder.mkdir()
        self._numbers = count()
        self._current: Path | None = None
        self.swap(files)
        for name in files:
            (folder / name).symlink_to(f"..data/{name}")

    def swap(self, files: Mapping[str, bytes]) -> None:
        """Replaces all files, in the kubelet's order: a new directory, a new link, one rename, the old one goes."""
        new = self.folder / f"..2026_11_22_08_00_00.{next(self._numbers)}"
        new.mkdir()
        for name, content in files.items():
            (new / name).write_bytes(content)
        link = self.folder / "..data_tmp"
        link.symlink_to(new.name)
        os.rename(link, self.folder / "..data")  # noqa: PTH104 - the one system call that matters here
        if self._current is not None:
            shutil.rmtree(self._current)
        self._current = new
