"""Promise: what docs/threat-model.md says that an attacker gets or does not get is held by a test that exists."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

_ROOT: Final = Path(__file__).parents[2]
_PAGE: Final = _ROOT / "docs" / "threat-model.md"
_LISTS: Final = ("Gets", "Does not get", "Not promised")
_HELD: Final = _LISTS[:2]
_REFERENCE: Final = re.compile(r"`(tests/[a-z_/0-9]+\.py)::(test_\w+)`")
# What is written after a sentence: references alone, with commas between them.
_REFERENCES: Final = re.compile(rf"\s*{_REFERENCE.pattern}(?:,\s*{_REFERENCE.pattern})*")
# Ways in that the page has to speak of, each by a word of a heading.
_POSITIONS: Final = (
    "No certificate",
    "no role",
    "SRE",
    "stolen certificate",
    "stolen session id or grant",
    "app",
    "network",
    "exec",
    "approver",
    "auditor",
    "policy",
    "audit volume",
    "Root on the node",
    "supply chain",
    "front",
    "reader",
    "file worker",
    "supervisor",
)


@dataclass(frozen=True, slots=True)
class _Claim:
    """One sentence of one list of one position, and the tests that it names."""

    position: str
    kind: str
    sentence: str
    tests: tuple[tuple[str, str], ...]


def _positions(page: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """Reads the page: by position and by list, the items as they are written."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        heading, _, body = section.partition("\n")
        parts = re.split(r"^\*\*(.+)\*\*$", body, flags=re.MULTILINE)[1:]
        assert len(parts[::2]) == len(set(parts[::2])), f"{heading}: a list that is there twice"
        assert heading not in found, f"{heading} is there twice"
        found[heading] = {
            name: tuple(re.findall(r"^- (.+(?:\n  .+)*)", items, flags=re.MULTILINE))
            for name, items in zip(parts[::2], parts[1::2], strict=True)
        }
    return found


def _claims(page: str) -> list[_Claim]:
    claims = []
    for position, lists in _positions(page).items():
        for kind in _HELD:
            for item in lists.get(kind, ()):
                start = _REFERENCE.search(item)
                sentence, rest = (item[: start.start()], item[start.start() :]) if start else (item, "")
                tests = tuple(_REFERENCE.findall(rest)) if _REFERENCES.fullmatch(rest) else ()
                claims.append(_Claim(position, kind, " ".join(sentence.split()), tests))
    return claims


@cache
def _functions(file: str) -> frozenset[str]:
    path = _ROOT / file
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


def _faults(page: str) -> list[str]:
    """Says what is wrong with a page, one line each."""
    faults = []
    for position, lists in _positions(page).items():
        if tuple(lists) != _LISTS:
            faults.append(f"{position}: has the lists {', '.join(lists)}")
        faults += [f"{position}: {kind} is empty" for kind, items in lists.items() if not items]
    for claim in _claims(page):
        if not claim.sentence.endswith((".", "*")):
            faults.append(f"{claim.position}: is no sentence: {claim.sentence!r}")
        if not claim.tests:
            faults.append(f"{claim.position}: no test holds {claim.sentence!r}")
        faults += [
            f"{claim.position}: there is no {file}::{name}"
            for file, name in claim.tests
            if name not in _functions(file)
        ]
    return faults


def test_every_sentence_is_held_by_a_test_that_exists() -> None:
    assert _faults(_PAGE.read_text(encoding="utf-8")) == []


def test_nothing_between_the_lists_is_lost() -> None:
    """A line that is of no list would be a sentence that nobody looks at."""
    page = _PAGE.read_text(encoding="utf-8")
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        heading, _, body = section.partition("\n")
        _, *lists = re.split(r"^\*\*.+\*\*$", body, flags=re.MULTILINE)
        stray = [
            line for part in lists for line in part.splitlines() if line.strip() and not re.match(r"- |  \S", line)
        ]
        assert stray == [], heading
    assert len(_REFERENCE.findall(page)) == sum(len(claim.tests) for claim in _claims(page))


def test_every_position_is_there_and_in_the_table_of_the_page() -> None:
    page = _PAGE.read_text(encoding="utf-8")
    headings = tuple(_positions(page))
    for word in _POSITIONS:
        assert any(word in heading for heading in headings), word
    introduction = page.partition("\n## ")[0]
    for heading in headings:
        assert f"(#{heading.lower().replace(' ', '-')})" in introduction, heading


def test_links_of_the_page_lead_somewhere() -> None:
    page = _PAGE.read_text(encoding="utf-8")
    anchors = {heading.lower().replace(" ", "-") for heading in _positions(page)}
    for target in re.findall(r"\]\(([^)]+)\)", page):
        file, _, anchor = target.partition("#")
        if file:
            assert (_PAGE.parent / file).is_file(), target
        else:
            assert anchor in anchors, target


_GOOD: Final = """\
## A place

**Gets**

- This. `tests/promises/test_threat_model_is_held.py::test_links_of_the_page_lead_somewhere`

**Does not get**

- That.
  `tests/promises/test_threat_model_is_held.py::test_links_of_the_page_lead_somewhere`

**Not promised**

- The rest.
"""
_NAME: Final = "test_links_of_the_page_lead_somewhere"


def test_a_good_page_has_no_fault() -> None:
    assert _faults(_GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (f"- That.\n  `tests/promises/test_threat_model_is_held.py::{_NAME}`", "- That.", "no test holds 'That.'"),
        (f"::{_NAME}`\n\n**Does", "::test_that_is_not_there`\n\n**Does", "there is no tests/promises"),
        ("- This. `tests/promises/", "- This. `tests/attacks/", "there is no tests/attacks"),
        (f"{_NAME}`\n\n**Not", f"{_NAME}` and more\n\n**Not", "no test holds 'That.'"),
        ("**Not promised**\n\n- The rest.\n", "", "has the lists Gets, Does not get"),
        ("- The rest.\n", "", "Not promised is empty"),
        ("**Gets**", "**Sees**", "has the lists Sees"),
    ],
)
def test_a_page_with_a_fault_is_found_out(old: str, new: str, fault: str) -> None:
    page = _GOOD.replace(old, new)
    assert page != _GOOD
    assert any(fault in one for one in _faults(page)), _faults(page)
