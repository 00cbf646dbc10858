"""Lays out the file system of the image: interpreter, libraries, standard library, packages, and nothing else."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import elf_files
import image_code
import image_contents
import image_files
import sbom
from image_files import Picked

if TYPE_CHECKING:
    from collections.abc import Iterable

_PREFIX: Final = "opt/leadglass"
_PROGRAM: Final = f"{_PREFIX}/bin/python3"
_LOADER: Final = f"{_PREFIX}/lib/ld.so"
_PYTHON: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
_STANDARD: Final = f"{_PREFIX}/lib/{_PYTHON}"
_ARCHIVE: Final = f"{_PREFIX}/lib/{_PYTHON.replace('.', '')}.zip"
# Below a folder where Python looks for code: the front may read there what modules need, and nowhere else.
_LIBRARIES: Final = f"{_STANDARD}/native"
# Python knows its own folder by this file, so it stays outside the archive.
_LANDMARK: Final = "os.py"
_APP: Final = f"{_PREFIX}/app"
_BILL: Final = "usr/share/sbom/leadglass-agent.cdx.json"
# What is mounted there by the one who runs it; a runtime need not make them in a root that is read-only.
_MOUNTED: Final = ("dev", "etc/leadglass", "proc", "sys", "var/lib/leadglass")
_MAIN: Final = '''\
"""Runs the agent: Python is given this folder as the program."""

import sys

from leadglass_agent.__main__ import main

sys.exit(main())
'''


def main() -> int:
    """Fills a folder that becomes the image's root."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, required=True, help="folder that pip installed the packages into")
    parser.add_argument("--into", type=Path, required=True, help="empty folder")
    options = parser.parse_args()
    lay_out(options.packages.resolve(), options.into.resolve())
    return 0


def lay_out(packages: Path, root: Path) -> None:
    """Fills `root`; whatever goes wrong is raised, and then the folder is of no use."""
    for folder in _MOUNTED:
        (root / folder).mkdir(parents=True)
    tree = {f"{_STANDARD}/{one.name}": one for one in image_files.standard_library()}
    tree |= {f"{_APP}/{one.name}": one for one in image_files.packages(packages)}
    tree |= _native(packages, tree.values())
    for name, one in tree.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(one.file, target)
        if one.is_machine_code or name == _PROGRAM:
            elf_files.strip(target)
    elf_files.bind(root / _PROGRAM, loader=f"/{_LOADER}", libraries=f"/{_LIBRARIES}")
    (root / _APP / "__main__.py").write_text(_MAIN, encoding="ascii")
    tree[f"{_APP}/__main__.py"] = next(one for one in tree.values() if one.package and one.package.name == "leadglass")
    held = _pack(root, tree)
    bill = root / _BILL
    bill.parent.mkdir(parents=True)
    bill.write_text(sbom.bill_of(held, root), encoding="utf-8")
    _protect(root)


def _native(packages: Path, picked: Iterable[Picked]) -> dict[str, Picked]:
    """Picks the interpreter, its loader, and the libraries that it and the packages need of the building machine."""
    program = Path(sys.executable).resolve()
    loader = Path(elf_files.loader_of(program))
    found = {_PROGRAM: Picked(program, _PROGRAM), _LOADER: Picked(loader, _LOADER)}
    objects = (program, *(one.file for one in picked if one.is_machine_code))
    for name, path in elf_files.libraries_of(objects, str(loader)):
        # A library that a package brings along lies beside it and is found there.
        if not path.resolve().is_relative_to(packages):
            found[f"{_LIBRARIES}/{name}"] = Picked(path, name)
    return found


def _pack(root: Path, tree: dict[str, Picked]) -> dict[str, list[Picked]]:
    """Compiles every source and archives what is listed; gives, for each file of the image, what is in it."""
    held: dict[str, list[Picked]] = {_ARCHIVE: []}
    archived: dict[str, Path] = {}
    for name, one in sorted(tree.items()):
        inside = _place_in_archive(name)
        if not name.endswith(".py"):
            if inside and one.is_machine_code:
                message = f"{name}: machine code cannot be loaded from an archive"
                raise ValueError(message)
            held[name] = [one]
        elif one.name in image_contents.SOURCES:
            code = image_code.compile_beside(root / name, f"/{name}")
            held[name] = held[str(code.relative_to(root))] = [one]
        else:
            code = image_code.compile_alone(root / name, f"/{name}")
            if inside:
                archived[f"{inside}c"] = code
                held[_ARCHIVE].append(one)
            else:
                held[f"{name}c"] = [one]
    image_code.archive(archived, root / _ARCHIVE)
    return held


def _place_in_archive(name: str) -> str:
    """Gives the name that a module has in the archive, or nothing if it stays outside."""
    folder, _, below = name.partition(f"{_STANDARD}/")
    if not folder:
        return below if below.endswith(".py") and below != _LANDMARK else ""
    below = name.removeprefix(f"{_APP}/")
    return below if below.startswith(image_contents.ARCHIVED) else ""


def _protect(root: Path) -> None:
    """Takes rights and times away: what can be run cannot be read, what can be read cannot be run or written."""
    for folder, folders, files in os.walk(root, topdown=False):
        for name in files:
            file = Path(folder, name)
            # Of a program that may not be read, the kernel hides the process from its first instruction.
            file.chmod(0o711 if str(file.relative_to(root)) in {_PROGRAM, _LOADER} else 0o444)
            os.utime(file, (0, 0))
        for name in folders:
            if not any(Path(folder, name).iterdir()) and str(Path(folder, name).relative_to(root)) not in _MOUNTED:
                Path(folder, name).rmdir()
        Path(folder).chmod(0o755)
        os.utime(folder, (0, 0))


if __name__ == "__main__":
    sys.exit(main())
