"""The compiled engine is the source beside it, and does what plain Python does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import engine_sources
from leadglass_agent.redaction import database, engine

if TYPE_CHECKING:
    from collections.abc import Iterator

_OUTPUTS = Path(__file__).parents[1] / "support" / "engine_outputs.py"
_IS_COMPILED = not engine.__file__.endswith(".py")
_IGNORED = shutil.ignore_patterns("*.so", "__pycache__", Path(engine_sources.MANIFEST).name)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package without machine code."""
    shutil.copytree(engine_sources.AGENT, tmp_path / "agent", ignore=_IGNORED)
    return tmp_path / "agent"


def _outputs(agent: Path, target: Path) -> Iterator[str]:
    """Runs the build in this folder over all inputs, in a process of its own."""
    path = os.pathsep.join((str(agent), str(_OUTPUTS.parent)))
    with target.open("wb") as out:
        command = [sys.executable, "-B", str(_OUTPUTS)]
        environment = {**os.environ, "PYTHONPATH": path}
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=out, env=environment, timeout=240)
    with target.open(encoding="ascii") as lines:
        yield from lines


def test_machine_code_beside_the_sources_is_theirs() -> None:
    assert not engine_sources.is_stale(engine_sources.AGENT), "run make build"


@pytest.mark.skipif(not _IS_COMPILED, reason="nothing is compiled here (make build, with a C compiler)")
def test_the_compiled_engine_gives_the_outputs_and_findings_of_plain_python(package: Path, tmp_path: Path) -> None:
    compiled = _outputs(engine_sources.AGENT, tmp_path / "compiled.jsonl")
    plain = _outputs(package, tmp_path / "plain.jsonl")

    assert next(compiled).strip().endswith('.so"]')
    assert next(plain).strip().endswith('.py"]')
    compared = 0
    for ours, theirs in zip(compiled, plain, strict=True):
        assert ours == theirs
        assert "refused" not in ours
        compared += 1
    assert compared > 10_000


def test_every_module_of_the_engine_is_compiled_or_named_as_interpreted() -> None:
    listed = set(engine_sources.modules())
    folder = engine_sources.AGENT / "leadglass_agent/redaction"

    assert all(name.endswith(EXTENSION_SUFFIXES[0]) for name in engine_sources.outputs() if "compiled.json" not in name)
    assert {"engine", "pairs", "spans", "values", "windows"} <= {Path(name).stem for name in listed}
    for file in folder.glob("*.py"):
        name = file.relative_to(engine_sources.AGENT).as_posix()
        assert (name in listed) != (name in engine_sources.INTERPRETED or file.name == "__init__.py")
    assert all((engine_sources.AGENT / name).is_file() for name in engine_sources.INTERPRETED)


def test_a_source_that_changed_makes_its_machine_code_stale(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_sources, "AGENT", package)
    assert not engine_sources.is_stale(package)

    for name in engine_sources.outputs():
        (package / name).touch()
    assert engine_sources.is_stale(package)  # its manifest says nothing
    engine_sources.write_manifest(package)
    assert engine_sources.is_current(package)

    source = package / "leadglass_agent/redaction/spans.py"
    source.write_bytes(source.read_bytes() + b"\n")
    assert engine_sources.is_stale(package)
    engine_sources.remove(package)
    assert not engine_sources.is_stale(package)
    assert not list(package.rglob("*.so"))


@pytest.mark.parametrize(
    ("environment", "reason"),
    [({"LEADGLASS_PLAIN": "1"}, "LEADGLASS_PLAIN is set"), ({"PATH": "/nowhere", "CC": ""}, "no C compiler")],
)
def test_without_a_compiler_the_engine_stays_plain_with_a_note(
    tmp_path: Path, environment: dict[str, str], reason: str
) -> None:
    command = [sys.executable, "-B", str(engine_sources.ROOT / "deploy/compile_engine.py"), f"--into={tmp_path}"]
    done = subprocess.run(
        command,
        check=False,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0
    assert done.stderr.startswith(f"{reason}: the engine runs as plain Python")
    assert not list(tmp_path.iterdir())


def test_a_database_that_was_built_finds_what_a_fresh_one_finds(package: Path) -> None:
    catalogue = package / "leadglass_agent/redaction/catalogue"
    database.build(catalogue)
    text = b"password=velvet-otter-71\nserver started\n"
    program = (
        "import sys\n"
        "from leadglass_agent.redaction import database, redactor\n"
        "database.load_rules = None  # what is built needs no rules\n"
        f"sys.stdout.buffer.write(redactor.Redactor().redact({text!r}).text.data)"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program],
        check=True,
        env={**os.environ, "PYTHONPATH": str(package)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )

    assert done.stdout == b"password=[redacted:password]\nserver started\n"


@pytest.mark.parametrize("name", ["catalogue/databases.yaml", "catalogue/rules.py", "catalogue/catalogue.bin"])
def test_a_database_of_other_sources_is_not_loaded(package: Path, name: str) -> None:
    catalogue = package / "leadglass_agent/redaction/catalogue"
    database.build(catalogue)
    file = catalogue.parent / name
    file.write_bytes(file.read_bytes()[:-1] if name.endswith(".bin") else file.read_bytes() + b"\n")
    program = "from leadglass_agent.redaction import database; database.load_rules = None; database.load()"
    done = subprocess.run(
        [sys.executable, "-B", "-c", program],
        check=False,
        env={**os.environ, "PYTHONPATH": str(package)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert "'NoneType' object is not callable" in done.stderr
