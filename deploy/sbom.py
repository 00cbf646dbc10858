"""Writes the image's bill of materials in CycloneDX's JSON: each package, and the files that are of it."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from importlib.metadata import Distribution

    from image_files import Picked

_SPEC: Final = "1.6"
_NAME: Final = "leadglass-agent"
# JSON as CycloneDX writes it.
_Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class _Package:
    """A package of the building machine's distribution."""

    name: str
    version: str
    architecture: str
    source: str


def bill_of(held: Mapping[str, Sequence[Picked]], root: Path) -> str:
    """Lists what the image's files are from; the same files give the same text.

    `held` gives, by the path in the image, what is in the file: one thing, or the modules of an archive.
    """
    owners = _owners({str(one.file) for inside in held.values() for one in inside if one.package is None})
    components: dict[str, _Json] = {}
    places: dict[str, set[str]] = {}
    version = ""
    for name, inside in held.items():
        for one in inside:
            if one.package is not None:
                component = _distribution(one.package)
                version = one.package.version if one.package.name == "leadglass" else version
            elif str(one.file) in owners:
                component = _package(owners[str(one.file)])
            elif one.file.is_relative_to(sys.base_prefix):
                component = _interpreter()
            else:
                component = _file(name, root)
            reference = str(component["bom-ref"])
            components.setdefault(reference, component)
            places.setdefault(reference, set()).add(name)
    for reference, names in places.items():
        components[reference]["evidence"] = {"occurrences": [{"location": f"/{name}"} for name in sorted(names)]}
    subject = {"type": "container", "bom-ref": _NAME, "name": _NAME, "version": version}
    bill: _Json = {
        "$schema": f"http://cyclonedx.org/schema/bom-{_SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": _SPEC,
        "version": 1,
        "metadata": {"component": subject},
        "components": [components[reference] for reference in sorted(components)],
        "dependencies": [{"ref": _NAME, "dependsOn": sorted(components)}],
    }
    # A number that says what is inside, and not when it was written.
    digest = hashlib.sha256(json.dumps(bill, sort_keys=True).encode()).digest()
    bill["serialNumber"] = uuid.UUID(bytes=digest[:16], version=4).urn
    return json.dumps(bill, indent=1, sort_keys=True) + "\n"


def _distribution(one: Distribution) -> _Json:
    name = one.name.lower().replace("_", "-")
    address = f"pkg:pypi/{name}@{one.version}"
    component: _Json = {"type": "library", "bom-ref": address, "name": name, "version": one.version, "purl": address}
    expressions, texts = one.metadata.get_all("License-Expression"), one.metadata.get_all("License")
    if expressions:
        component["licenses"] = [{"expression": expressions[0]}]
    elif texts and "\n" not in texts[0]:
        component["licenses"] = [{"license": {"name": texts[0]}}]
    return component


def _package(one: _Package) -> _Json:
    system = platform.freedesktop_os_release()
    release = f"{system['ID']}-{system.get('VERSION_ID', '')}".rstrip("-")
    upstream = "" if one.source == one.name else f"&upstream={one.source}"
    version = one.version.replace("+", "%2B").replace(":", "%3A")
    address = f"pkg:deb/{system['ID']}/{one.name}@{version}?arch={one.architecture}&distro={release}{upstream}"
    return {"type": "library", "bom-ref": address, "name": one.name, "version": one.version, "purl": address}


def _interpreter() -> _Json:
    version = platform.python_version()
    address = f"pkg:generic/python@{version}"
    return {"type": "library", "bom-ref": address, "name": "python", "version": version, "purl": address}


def _file(name: str, root: Path) -> _Json:
    digest = hashlib.sha256((root / name).read_bytes()).hexdigest()
    reference = f"file:{digest}"
    return {
        "type": "file",
        "bom-ref": reference,
        "name": Path(name).name,
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }


def _owners(files: set[str]) -> dict[str, _Package]:
    """Asks dpkg, where there is one, which package each file is of."""
    if not shutil.which("dpkg-query"):
        return {}
    # A file below /usr may be listed without it: directories of the root are links to it since they were merged.
    asked = {spelling: file for file in sorted(files) for spelling in _spellings(file)}
    found = {
        asked[path]: names.partition(",")[0]
        for names, _, path in (row.partition(": ") for row in _dpkg("--search", *asked))
        if path in asked
    }
    form = "${binary:Package}\t${Package}\t${Version}\t${Architecture}\t${source:Package}\n"
    rows = [row.split("\t") for row in _dpkg("--show", f"--showformat={form}")]
    packages = {row[0]: _Package(*row[1:]) for row in rows}
    packages |= {row[1]: _Package(*row[1:]) for row in rows}
    return {file: packages[name] for file, name in found.items() if name in packages}


def _spellings(file: str) -> set[str]:
    real = str(Path(file).resolve())
    return {spelling for one in (file, real) for spelling in (one, one.removeprefix("/usr"), f"/usr{one}")}


def _dpkg(*arguments: str) -> list[str]:
    # It exits 1 when one of many files is nobody's.
    done = subprocess.run(
        ["dpkg-query", *arguments],  # noqa: S607 - of the image that builds
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout.splitlines()
