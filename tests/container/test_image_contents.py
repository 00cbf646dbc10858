"""The sidecar's image holds an interpreter that nobody can read, the agent, and nothing of use to anybody else."""

from __future__ import annotations

import json
import stat
import sys
from typing import TYPE_CHECKING

import pytest

import image_contents
from container_images import ROOT
from image_trees import INTERPRETER, LOADER, READ_ONLY, files_of, modules_of, mounted, run_agent, run_python
from reached import imports_of, module_of, reached_from

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from containers import Engine

pytestmark = [pytest.mark.container, pytest.mark.timeout(900)]

# As large as it is, so that it does not grow unseen; bench/image_costs.py holds it to what it should be, 65 MB.
_MOST_BYTES = 66_900_000
_FOREIGN = [
    *("pip", "setuptools", "ensurepip", "pkg_resources", "venv", "site", "sitecustomize"),
    *("leadglass_client", "click", "rich", "pygments", "markdown_it", "pycparser", "cffi"),
    *("pdb", "code", "pty", "multiprocessing", "unittest", "idlelib", "pydoc"),
]
_USERS = ("65532:65532", "1000:1000", "12345:54321")
# Tries to write wherever a file could be, and says where it could; the kernel's own file systems are not the image's.
_WRITE = """
import os
skipped = ("/proc", "/sys", "/dev")
written = []
for folder, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in skipped]
    places = [(os.path.join(folder, "new"), os.O_CREAT), *((os.path.join(folder, name), 0) for name in files)]
    for place, flags in places:
        try:
            os.close(os.open(place, os.O_WRONLY | flags, 0o600))
        except OSError:
            continue
        written.append(place)
print(written)
"""
_IMPORT = """
import importlib, json
missing = []
for name in json.loads({names!r}):
    parent, _, last = name.rpartition(".")
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if parent and hasattr(importlib.import_module(parent), last):
            continue
        missing.append(f"{{name}}: {{error}}")
print("\\n".join(missing))
"""


@pytest.fixture(scope="module")
def root(podman: Engine, image: str) -> Iterator[Path]:
    """The image's root, where it can be looked at."""
    with mounted(podman, image) as folder:
        yield folder


def test_two_files_can_be_run_and_neither_can_be_read(root: Path) -> None:
    runnable = {name for name, path in files_of(root).items() if path.lstat().st_mode & 0o111}

    assert runnable == {INTERPRETER, LOADER}
    assert {stat.S_IMODE((root / name[1:]).lstat().st_mode) for name in runnable} == {0o711}


def test_every_file_is_a_plain_one_of_roots_that_nobody_may_write(root: Path) -> None:
    others = {path.lstat() for name, path in files_of(root).items() if name not in {INTERPRETER, LOADER}}

    assert {stat.S_ISREG(one.st_mode) for one in others} == {True}
    assert {oct(stat.S_IMODE(one.st_mode)) for one in others} == {"0o444"}
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in root.rglob("*")} == {(0, 0)}
    folders = {oct(stat.S_IMODE(path.lstat().st_mode)) for path in root.rglob("*") if path.is_dir()}
    assert folders == {"0o755"}


def test_there_is_no_program_but_the_interpreter(root: Path) -> None:
    programs = {
        name
        for name, path in files_of(root).items()
        if (path.read_bytes()[:4] == b"\x7fELF" and ".so" not in name) or path.read_bytes()[:2] == b"#!"
    }

    assert programs == {INTERPRETER}


@pytest.mark.parametrize("name", _FOREIGN)
def test_what_belongs_to_other_programs_is_not_there(root: Path, name: str) -> None:
    tops = {one.partition("/")[0].partition(".")[0] for one in modules_of(root) if ".dist-info/" not in one}

    assert "leadglass_agent" in tops
    assert "json" in tops
    assert name not in tops


def test_no_module_is_there_that_the_agent_cannot_reach(root: Path) -> None:
    reached = reached_from(image_contents.PROGRAM, ROOT / "agent")
    # `name.pyc`, `name.cpython-311-x86_64-linux-gnu.so`, or `name.py` where the source is read as well
    files = {f"{name.partition('.')[0]}.py" for name in modules_of(root) if name.endswith((".py", ".pyc", ".so"))}
    there = {module_of(name) for name in files if name.startswith("leadglass_agent/") and "__pycache__" not in name}

    assert there == reached


def test_sources_are_there_where_they_are_read_alone(root: Path) -> None:
    sources = {name for name in modules_of(root) if name.endswith((".py", ".pyi", ".c", ".h", ".pyx"))}

    assert sources == set(image_contents.SOURCES)


def test_the_image_does_not_grow_unseen(root: Path) -> None:
    files = [path.lstat() for path in files_of(root).values()]

    assert sum(one.st_size for one in files) <= _MOST_BYTES


def test_everything_that_the_agent_imports_early_or_late_is_there(podman: Engine, image: str) -> None:
    folder = ROOT / "agent"
    reached = reached_from(image_contents.PROGRAM, folder)
    sources = [path for path in folder.rglob("*.py") if module_of(str(path.relative_to(folder))) in reached]
    imported = frozenset().union(*map(imports_of, sources))
    names = sorted((reached | imported) - {image_contents.PROGRAM, "mypy_extensions"})

    assert len(sources) > 200
    assert run_python(podman, image, _IMPORT.format(names=json.dumps(names))).strip() == ""


def test_the_agent_knows_its_own_version_and_those_of_its_packages(podman: Engine, image: str) -> None:
    program = "from importlib.metadata import version; print(version('leadglass'), version('grpcio') > '1')"

    assert run_python(podman, image, program).split()[1] == "True"
    assert run_agent(podman, image, "--version").split()[1] == run_python(podman, image, program).split()[0]


def test_the_catalogue_is_not_compiled_at_each_start(podman: Engine, image: str) -> None:
    program = (
        "import zlib; from importlib import resources; import msgspec; from leadglass_agent.redaction import database;"
        "file = resources.files('leadglass_agent.redaction.catalogue') / 'catalogue.bin';"
        "print(msgspec.msgpack.decode(zlib.decompress(file.read_bytes()))[0] == database._digest(), database.__file__)"
    )

    is_current, place = run_python(podman, image, program).split()
    assert is_current == "True"
    assert place.endswith("/database.py")


def test_the_engine_runs_as_machine_code(podman: Engine, image: str) -> None:
    program = "from leadglass_agent.redaction import engine; print(engine.__file__)"

    assert run_python(podman, image, program).strip().endswith(".so")


@pytest.mark.parametrize("user", _USERS)
def test_nothing_can_be_written_anywhere_even_where_the_root_is_not_mounted_read_only(
    podman: Engine, image: str, user: str
) -> None:
    # Files that podman mounts into every container are of the host.
    mounts = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/run/.containerenv")
    for options in (READ_ONLY, ()):
        written = run_python(podman, image, _WRITE, options=(f"--user={user}", *options)).strip()
        assert [place for place in json.loads(written.replace("'", '"')) if place not in mounts] == []


def test_the_writer_of_that_test_would_find_a_place(podman: Engine, image: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    written = run_python(podman, image, _WRITE, options=("--user=1000:1000", *READ_ONLY, f"--volume={tmp_path}:/open"))

    assert "'/open/new'" in written


@pytest.mark.parametrize("user", _USERS)
def test_the_kernel_hides_the_process_before_its_first_instruction(podman: Engine, image: str, user: str) -> None:
    program = "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"  # PR_GET_DUMPABLE

    assert run_python(podman, image, program, options=(f"--user={user}", *READ_ONLY)).strip() != "1"


def test_an_ordinary_interpreter_is_not_hidden(podman: Engine, pod_base: str) -> None:
    program = "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    options = ("run", *podman.options(), "--rm", "--network=none", "--user=1000:1000")

    assert podman.call(*options, pod_base, "python3", "-c", program).strip() == "1"


def test_it_is_the_python_that_the_tests_of_the_agent_run(podman: Engine, image: str) -> None:
    program = "import sys; print(sys.version_info[:2], sys.flags.isolated, sys.flags.no_site, sys.flags.optimize)"

    assert run_python(podman, image, program).strip() == f"{sys.version_info[:2]} 1 1 2"
