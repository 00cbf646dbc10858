"""The bill of materials in the image is CycloneDX, and names every package and every file of the image."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from image_trees import APP, BILL, files_of, mounted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from containers import Engine

pytestmark = [pytest.mark.container, pytest.mark.timeout(900)]


class _Occurrence(msgspec.Struct):
    location: str


class _Evidence(msgspec.Struct):
    occurrences: tuple[_Occurrence, ...]


class _Component(msgspec.Struct):
    type: str
    name: str
    evidence: _Evidence
    purl: str = ""
    version: str = ""


class _Bill(msgspec.Struct):
    components: tuple[_Component, ...]


@pytest.fixture(scope="module")
def root(podman: Engine, image: str) -> Iterator[Path]:
    """The image's root, where it can be looked at."""
    with mounted(podman, image) as folder:
        yield folder


@pytest.fixture(scope="module")
def bill(root: Path) -> _Bill:
    """The image's bill of materials, in the parts that the tests look at."""
    return msgspec.json.decode((root / BILL[1:]).read_bytes(), type=_Bill)


def test_the_bill_fits_the_official_schema(root: Path) -> None:
    text = (root / BILL[1:]).read_text(encoding="utf-8")
    validator = JsonStrictValidator(SchemaVersion.V1_6)

    assert validator.validate_str(text) is None
    broken = json.loads(text) | {"components": [{"name": "of no type"}]}
    assert validator.validate_str(json.dumps(broken)) is not None


def test_every_python_package_of_the_image_is_on_the_bill_and_no_other(root: Path, bill: _Bill) -> None:
    folders = (path.name.removesuffix(".dist-info") for path in (root / APP[1:]).glob("*.dist-info"))
    there = {f"pkg:pypi/{name.lower().replace('_', '-')}@{version}" for name, _, version in map(_split, folders)}

    assert {one.purl for one in bill.components if one.purl.startswith("pkg:pypi/")} == there
    assert any(purl.startswith("pkg:pypi/leadglass@") for purl in there)


def test_every_file_of_the_image_is_of_something_on_the_bill(root: Path, bill: _Bill) -> None:
    named = {place.location for one in bill.components for place in one.evidence.occurrences}

    assert named == files_of(root).keys() - {BILL}


def test_what_is_not_pythons_is_of_a_package_of_the_system_that_built_it(bill: _Bill) -> None:
    system = {one.name for one in bill.components if not one.purl.startswith("pkg:pypi/")}

    assert system >= {"libc6", "libssl3", "libstdc++6", "python3.11-minimal", "libpython3.11-stdlib"}
    assert {one.purl.partition("?")[0].rpartition("/")[0] for one in bill.components} == {"pkg:pypi", "pkg:deb/debian"}
    assert all(one.version for one in bill.components)


def _split(name: str) -> tuple[str, str, str]:
    return name.partition("-")
