"""Copies the interpreter for another user: once as any program is, and once so that only the kernel may read it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = 1_000  # uid and gid of whoever runs it
_LEFT_OUT = (
    "test",
    "tests",
    "site-packages",
    "idlelib",
    "tkinter",
    "turtledemo",
    "ensurepip",
    "config-*",
    "__pycache__",
)


@dataclass(frozen=True, slots=True)
class Interpreters:
    """Two copies that behave alike; `sealed` is root's and has the mode 0711, as in the image."""

    readable: Path
    sealed: Path

    def environment(self) -> dict[str, str]:
        """The variables that they need: where a shared libpython lies."""
        return {"LD_LIBRARY_PATH": str(self.readable.parents[1] / "lib"), "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}

    def popen(self, program: Path, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        """Starts a copy as the other user, with pipes for standard input and output."""
        return subprocess.Popen(
            [str(program), "-I", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**self.environment(), **more},
            user=USER,
            group=USER,
            extra_groups=(),
            cwd="/",
        )


@contextmanager
def open_ground() -> Iterator[Path]:
    """Makes a folder that the other user may enter, unlike those of pytest's, for the time of a with-block."""
    folder = Path(tempfile.mkdtemp(prefix="leadglass-glass-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def interpreters(folder: Path) -> Interpreters:
    """Makes both in a folder that everybody may enter; needs root."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    readable, sealed = folder / "readable", folder / "sealed"
    for one in (readable, sealed):
        (one / "bin").mkdir(parents=True)
    library = readable / "lib" / version
    shutil.copytree(sysconfig.get_path("stdlib"), library, ignore=shutil.ignore_patterns(*_LEFT_OUT), symlinks=True)
    for shared in Path(sysconfig.get_config_var("LIBDIR")).glob("libpython3*.so*"):
        shutil.copy2(shared, readable / "lib", follow_symlinks=True)
    (sealed / "lib").symlink_to("../readable/lib")
    site = library / "site-packages"
    site.mkdir()
    # The folders that this test imports from: our sources and what is installed beside them.
    paths = [entry for entry in sys.path if Path(entry).is_dir() and Path(entry).resolve() != Path(library).resolve()]
    (site / "tested.pth").write_text("\n".join(entry for entry in paths if "lib-dynload" not in entry) + "\n")
    made = Interpreters(readable / "bin" / "python3", sealed / "bin" / "python3")
    program = Path(sys.executable).resolve()
    for copy, mode in ((made.readable, 0o755), (made.sealed, 0o711)):
        shutil.copyfile(program, copy)
        copy.chmod(mode)
        os.chown(copy, 0, 0)
    return made
