"""What goes into the image is locked: each package by version and hash, and another content is refused."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import pytest

_ROOT: Final = Path(__file__).parents[2]
_LISTS: Final = sorted((_ROOT / "requirements").glob("*.txt"))
_LINE: Final = re.compile(
    r"[a-z0-9][a-z0-9._-]*(?:\[[a-z0-9,-]+\])?==[A-Za-z0-9.+!]+(?: ; [^\\]+)?( --hash=sha256:[0-9a-f]{64})+"
)
_PIP_SECONDS: Final = 120


@pytest.mark.parametrize("file", _LISTS, ids=lambda file: file.name)
def test_every_package_is_locked_by_version_and_hash(file: Path) -> None:
    text = re.sub(r"^\s*#.*$", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = [" ".join(line.split()) for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    assert lines
    for line in lines:
        assert _LINE.fullmatch(line), line.split(" --hash")[0]


def test_the_image_takes_packages_by_hash_and_from_no_network() -> None:
    recipe = (_ROOT / "Dockerfile.agent").read_text(encoding="utf-8")
    steps = re.sub(r"^#.*$", "", recipe, flags=re.MULTILINE).replace("\\\n", " ").split("&&")
    installs = [step for step in steps if re.search(r"\bpip\b.*\b(?:install|wheel|download)\b", step)]
    assert installs
    for step in installs:
        assert "--no-index" in step, step
        # What is ours has no hash: it is made of the sources, and brings no other package.
        assert "--require-hashes" in step or "--no-deps" in step, step
    assert any("image.txt" in step for step in installs)
    assert "ADD http" not in recipe
    assert not re.search(r"\b(?:curl|wget|apt-get)\b", recipe)


@pytest.mark.parametrize("changed", [False, True], ids=["the locked content", "another content"])
def test_a_wheel_with_another_content_is_refused(tmp_path: Path, *, changed: bool) -> None:
    wheel = tmp_path / "leadglass_locked-1.0-py3-none-any.whl"
    information = "leadglass_locked-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("leadglass_locked.py", "")
        archive.writestr(f"{information}/METADATA", "Metadata-Version: 2.1\nName: leadglass-locked\nVersion: 1.0\n")
        archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{information}/RECORD", "")
    locked = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if changed:
        with zipfile.ZipFile(wheel, "a") as archive:
            archive.writestr("leadglass_extra.py", "")
    (tmp_path / "locked.txt").write_text(f"leadglass-locked==1.0 --hash=sha256:{locked}\n", encoding="ascii")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "install", "--no-cache-dir"),
            *("--no-index", "--find-links", str(tmp_path), "--only-binary", ":all:", "--require-hashes"),
            *("--target", str(tmp_path / "installed"), "--requirement", str(tmp_path / "locked.txt")),
        ],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=_PIP_SECONDS,
    )
    assert (done.returncode != 0) is changed, done.stderr.decode()
    assert (tmp_path / "installed" / "leadglass_locked.py").exists() is not changed
