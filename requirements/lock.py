"""Resolves the pinned requirement files from pyproject.toml: exact versions with hashes, and no index address."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_UV = Path(sysconfig.get_path("scripts")) / "uv"

# Each file is resolved under the versions of the one before, so that all of them install together.
_FILES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("client.txt", ("pyproject.toml",)),
    ("agent.txt", ("pyproject.toml", "--extra", "agent")),
    ("image.txt", ("pyproject.toml", "--extra", "agent", "--extra", "otlp", "--extra", "prometheus")),
    ("dev.txt", ("pyproject.toml", "--extra", "agent", "--group", "dev")),
    ("build.txt", ("requirements/build.in",)),
    ("bench.txt", ("--group", "bench")),
)


def main() -> int:
    """Writes the files; exit 1 if one cannot be resolved."""
    constraints: list[str] = []
    for name, source in _FILES:
        target = f"requirements/{name}"
        command = [str(_UV), "pip", "compile", *source, "--python-version", "3.11", "--generate-hashes", *constraints]
        quiet = ["--no-emit-index-url", "--no-header", "--no-annotate", "--quiet", "--output-file", target]
        subprocess.run([*command, *quiet], cwd=_HERE.parent, check=True)
        constraints = [*constraints, "--constraint", target]
    return 0


if __name__ == "__main__":
    sys.exit(main())
