"""Knows which sources are compiled, and whether the machine code in a folder is theirs."""

from __future__ import annotations

import hashlib
import json
import sysconfig
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
AGENT: Final = ROOT / "agent"
# The list of what is compiled: these folders and files, without what is named below.
_COMPILED: Final = ("leadglass_agent/redaction", "leadglass_agent/redaction/argv", "leadglass_agent/barrier/sieve.py")
INTERPRETED: Final = frozenset(
    f"leadglass_agent/redaction/{name}.py"
    for name in (
        "contexts",  # frozen dataclasses with slots, read once
        "database",  # msgspec reads its annotations
        "escape",  # one regular expression
        "findings",  # msgspec reads its annotations
        "letter_pairs_build",  # makes a source file, and never runs in the agent
        "mask",  # msgspec reads its annotations
        "redactor",  # msgspec reads its annotations
        "rule_ids",  # runs once
        "stream",  # a thin hull: what is no bytes is refused by itself, and not at the border of compiled code
        "vocabulary",  # msgspec reads its annotations
    )
)
GROUP: Final = "leadglass_engine"
SUFFIX: Final = str(sysconfig.get_config_var("EXT_SUFFIX"))
# What was compiled, beside it: a digest of the sources, so that no stale machine code is taken for them.
MANIFEST: Final = "leadglass_agent/redaction/compiled.json"
# Measured on the benchmark's texts: -O2 takes 1.4 times as long to compile and is no faster beyond the noise. Hot loops
# are byte loops over locals, which -O1 keeps in registers.
LEVEL: Final = "1"


def modules() -> tuple[str, ...]:
    """Lists the sources that are compiled, below agent/, in order."""
    found: list[str] = []
    for name in _COMPILED:
        path = AGENT / name
        files = [path] if path.is_file() else sorted(path.glob("*.py"))
        found.extend(file.relative_to(AGENT).as_posix() for file in files if file.name != "__init__.py")
    return tuple(name for name in found if name not in INTERPRETED)


def sources_digest() -> str:
    """Digests the sources that are compiled, how they are, and the Python that they are compiled for."""
    digest = hashlib.sha256(f"{SUFFIX} {LEVEL}".encode())
    for name in modules():
        digest.update(f"\n{name} {hashlib.sha256((AGENT / name).read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()


def is_current(folder: Path) -> bool:
    """Says whether this folder's machine code is that of the sources as they are."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return False
    return bool(manifest.get("sources") == sources_digest()) and all((folder / name).is_file() for name in outputs())


def is_stale(folder: Path) -> bool:
    """Says whether there is machine code of other sources in this folder, which Python would run instead of ours."""
    return any(compiled_files(folder)) and not is_current(folder)


def outputs() -> tuple[str, ...]:
    """Lists what compiling leaves behind, below the folder of packages."""
    shims = (name.removesuffix(".py") + SUFFIX for name in modules())
    return (f"{GROUP}__mypyc{SUFFIX}", *shims, MANIFEST)


def remove(folder: Path) -> None:
    """Removes what was compiled into this folder."""
    for file in compiled_files(folder):
        file.unlink(missing_ok=True)


def write_manifest(folder: Path, digest: str = "") -> None:
    """Writes which sources the machine code in this folder is of: those at the beginning, if one was edited since."""
    (folder / MANIFEST).write_text(json.dumps({"sources": digest or sources_digest()}) + "\n", encoding="ascii")


def compiled_files(folder: Path) -> tuple[Path, ...]:
    """Lists what was compiled into this folder, also of modules that are gone by now."""
    below = folder / "leadglass_agent"
    return tuple(
        file for file in (*folder.glob(f"{GROUP}__mypyc.*"), *below.rglob("*.so"), folder / MANIFEST) if file.is_file()
    )
