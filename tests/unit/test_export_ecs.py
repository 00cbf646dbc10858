"""Every record becomes a document of the Elastic Common Schema that an index takes, and nothing of it is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from exported_events import EXAMPLES, full_events, leaves_of, records_of
from leadglass_agent.audit.export_ecs import ecs
from leadglass_agent.audit.record import Event, EventKind, Ruling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.audit.canonical import Json

# Of the field reference of ECS 8.17 and 9.0.
_CATEGORIES = frozenset({"api", "authentication", "configuration", "iam", "intrusion_detection", "process", "session"})
_TYPES = frozenset({"access", "change", "denied", "end", "error", "info", "start"})
_TOP = frozenset(
    {
        *("@timestamp", "ecs", "event", "message", "user", "source", "tls", "process", "rule", "error", "related"),
        "leadglass",
    }
)
_LONG_END = 2**63


@pytest.mark.parametrize("record", records_of(EXAMPLES), ids=lambda record: f"{record['seq']}-{record['kind']}")
def test_a_record_of_every_kind_fits_the_schema_and_is_whole(record: dict[str, Json]) -> None:
    _check(record, ecs(record))


@given(full_events)
def test_whatever_callers_write_the_document_fits_and_is_whole(event: Event) -> None:
    (record,) = records_of([event])

    _check(record, ecs(record))


def test_a_call_says_who_from_where_what_and_how_it_ended() -> None:
    call = Event(
        kind=EventKind.OUTCOME,
        caller="spiffe://shop.example/sre/alice",
        peer="ipv4:10.0.3.7:51514",
        tls_version="TLSv1.3",
        tls_group="X25519",
        certificate_serial="41c2",
        method="/leadglass.v1.InspectService/ListEnvironment",
        decision=Ruling.ALLOW,
        target_pid=17,
        target_start_ticks=812_345,
        duration_us=1_377,
    )

    made = ecs(records_of([call])[0])

    assert made["user"] == {"id": "spiffe://shop.example/sre/alice"}
    assert made["source"] == {"address": "ipv4:10.0.3.7:51514", "ip": "10.0.3.7", "port": 51514}
    assert made["tls"] == {
        "version": "1.3",
        "version_protocol": "tls",
        "curve": "X25519",
        "client": {"x509": {"serial_number": "41c2"}},
    }
    assert made["process"] == {"pid": 17, "entity_id": "17@812345"}
    event = made["event"]
    assert isinstance(event, dict)
    assert (event["outcome"], event["action"], event["duration"]) == ("success", "outcome", 1_377_000)


def _check(record: dict[str, Json], document: dict[str, Json]) -> None:
    assert document.keys() <= _TOP
    assert document["@timestamp"] == record["time"]
    event = document["event"]
    assert isinstance(event, dict)
    assert {*leaves_of(event["category"])} <= _CATEGORIES
    assert {*leaves_of(event["type"])} <= _TYPES
    # An index makes an object of every dot in a name, and a field of every name.
    assert not any("." in name for name in _names(document))
    assert all(number < _LONG_END for number in _numbers(document))
    text = json.dumps(document, ensure_ascii=False)
    lost = [leaf for leaf in leaves_of([*record.values()]) if json.dumps(leaf, ensure_ascii=False)[1:-1] not in text]
    assert [leaf for leaf in lost if leaf not in {"True", "False"}] == []


def _names(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from _names(member)


def _numbers(value: Json) -> Iterator[int]:
    for member in value.values() if isinstance(value, dict) else ():
        if isinstance(member, int):
            yield member
        else:
            yield from _numbers(member)
