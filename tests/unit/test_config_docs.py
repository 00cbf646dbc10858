"""docs/container.md names every key of the agent's configuration, and no other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from leadglass_agent.config import Audit, Config, Pod, Recordings, Sink, Telemetry, Tls
from leadglass_cli import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

_TABLE = re.compile(r"^\| key under `spec` \|.*?\n\n", re.MULTILINE | re.DOTALL)
_WORD = re.compile(r"`(\w+)`")
_DOTTED = re.compile(r"`(\w+(?:\.\w+)+)`")
_WITH_ROWS = (("audit", Audit), ("audit.sink", Sink), ("telemetry", Telemetry), ("recordings", Recordings))


def _rows() -> dict[str, str]:
    """Gives the table: for each key what stands beside it."""
    table = _TABLE.search((ROOT / "docs" / "container.md").read_text("utf-8"))
    assert table is not None
    rows = (line.split("|") for line in table[0].splitlines()[2:] if line)
    return {key: "|".join(rest) for _, keys, *rest in rows for key in _WORD.findall(keys)}


def _keys(kind: type[msgspec.Struct]) -> Iterator[str]:
    return (member.encode_name for member in msgspec.structs.fields(kind))


def test_each_key_has_its_row() -> None:
    assert set(_rows()) == set(_keys(Config))


def test_the_rows_of_tls_and_pod_name_their_members() -> None:
    for key, kind in (("tls", Tls), ("pod", Pod)):
        assert set(_keys(kind)) <= set(_WORD.findall(_rows()[key]))


def test_each_key_of_audit_sink_telemetry_and_recordings_has_its_row() -> None:
    table = _TABLE.search((ROOT / "docs" / "container.md").read_text("utf-8"))
    assert table is not None
    named = [key for line in table[0].splitlines()[2:] if line for key in _DOTTED.findall(line.split("|")[1])]
    assert sorted(named) == sorted(f"{under}.{key}" for under, kind in _WITH_ROWS for key in _keys(kind))


def test_a_key_is_needed_where_the_table_says_so() -> None:
    needed = {member.encode_name for member in msgspec.structs.fields(Config) if member.required}
    assert {key for key, rest in _rows().items() if rest.endswith(("| needed |", " needed |"))} == needed
