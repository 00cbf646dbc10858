"""Generates the committed stubs in protos/gen from the protos; with --check, fails if they are stale."""

from __future__ import annotations

import argparse
import filecmp
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

_PROTOS = Path(__file__).resolve().parent
_GENERATED = _PROTOS / "gen"


def main() -> int:
    """Writes the stubs, or compares them with what the protos give; exit 1 if they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 if protos/gen is stale")
    check = bool(parser.parse_args().check)
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        _generate(fresh)
        if not check:
            shutil.rmtree(_GENERATED, ignore_errors=True)
            # The folder within: the temporary one is closed to others, and its mode would be copied.
            shutil.copytree(fresh / "leadglass", _GENERATED / "leadglass")
            return 0
        stale = _differences(fresh, _GENERATED)
    for name in stale:
        print(f"stale: protos/gen/{name} (run protos/generate.py)", file=sys.stderr)
    return 1 if stale else 0


def _generate(target: Path) -> None:
    """Runs protoc into target: messages for every proto, services only for files that have one."""
    sources = sorted(_PROTOS.glob("leadglass/**/*.proto"))
    services = [path for path in sources if "\nservice " in path.read_text(encoding="utf-8")]
    scripts = Path(sysconfig.get_path("scripts"))
    plugins = [f"--plugin={scripts / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    _protoc([*plugins, f"--python_out={target}", f"--mypy_out={target}"], sources)
    _protoc([*plugins, f"--grpc_python_out={target}", f"--mypy_grpc_out={target}"], services)
    for folder in (target / "leadglass", target / "leadglass" / "v1"):
        (folder / "__init__.py").write_text(
            '"""Generated stubs; protos/generate.py writes them."""\n', encoding="utf-8"
        )
    (target / "leadglass" / "py.typed").touch()


def _protoc(options: list[str], sources: list[Path]) -> None:
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{_PROTOS}", *options, *map(str, sources)],
        check=True,
    )


def _differences(fresh: Path, committed: Path) -> list[str]:
    """Lists the relative names of files that differ or stand on one side only."""
    names = {
        str(path.relative_to(root))
        for root in (fresh, committed)
        for path in root.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    _, mismatch, errors = filecmp.cmpfiles(fresh, committed, sorted(names), shallow=False)
    return sorted([*mismatch, *errors])


if __name__ == "__main__":
    sys.exit(main())
