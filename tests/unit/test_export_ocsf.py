"""Every record becomes an event that the published schema of OCSF takes, and nothing of it is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from exported_events import EVERY_KIND, EXAMPLES, full_events, leaves_of, records_of
from leadglass_agent.audit.canonical import parse
from leadglass_agent.audit.export_ocsf import ocsf
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.errors import Reason
from leadglass_cli import ROOT
from ocsf_schema import schema_faults

if TYPE_CHECKING:
    from leadglass_agent.audit.canonical import Json


@pytest.mark.parametrize("record", records_of(EXAMPLES), ids=lambda record: f"{record['seq']}-{record['kind']}")
def test_a_record_of_every_kind_is_valid_and_whole(record: dict[str, Json]) -> None:
    event = ocsf(record)

    assert schema_faults(event) == []
    assert _lost(record, event) == []


def test_every_record_of_the_documented_log_is_valid_and_whole() -> None:
    for line in (ROOT / "docs" / "examples" / "audit.jsonl").read_bytes().splitlines():
        record = parse(line)
        event = ocsf(record)
        assert schema_faults(event) == []
        assert _lost(record, event) == []


@given(full_events)
def test_whatever_callers_write_the_event_is_valid_and_whole(event: Event) -> None:
    (record,) = records_of([event])

    made = ocsf(record)

    assert schema_faults(made) == []
    assert _lost(record, made) == []


def test_the_schema_does_refuse_what_is_not_of_it() -> None:
    event = ocsf(records_of(EVERY_KIND)[0])

    assert schema_faults(event | {"of_our_own": 1}) != []
    assert schema_faults(event | {"severity_id": 7}) != []


@pytest.mark.parametrize(
    ("kind", "class_uid", "activity"),
    [
        (EventKind.AGENT_STARTED, 6002, 3),
        (EventKind.AGENT_STOPPED, 6002, 4),
        (EventKind.SESSION_OPENED, 3003, 1),
        (EventKind.SESSION_ENDED, 3003, 99),
        (EventKind.HALTED, 2004, 1),
        (EventKind.AUDIT_HALT, 2004, 1),
        (EventKind.REVIEW_CLOSED, 2004, 3),
        (EventKind.OUTCOME, 6003, 2),
    ],
)
def test_a_kind_has_the_class_that_the_page_names(kind: EventKind, class_uid: int, activity: int) -> None:
    event = ocsf(records_of([Event(kind=kind, method="/leadglass.v1.InspectService/StatFiles")])[0])

    assert (event["class_uid"], event["activity_id"]) == (class_uid, activity)


def test_a_reply_that_was_withheld_for_a_known_value_is_a_finding() -> None:
    (record,) = records_of([Event(kind=EventKind.REFUSED, refusal=Reason.KNOWN_VALUE)])

    assert ocsf(record)["class_uid"] == 2004


def test_failed_handshakes_are_counted_together() -> None:
    facts = (("NO_CERTIFICATE", 3), ("OTHER", 2), ("since_boot_ns", 9))
    (record,) = records_of([Event(kind=EventKind.HANDSHAKES_FAILED, facts=facts)])

    assert ocsf(record)["count"] == 5


def _lost(record: dict[str, Json], event: dict[str, Json]) -> list[str]:
    """Names what of the record is nowhere in the event; names of mapped fields may change, no value may."""
    unmapped = event["unmapped"]
    assert isinstance(unmapped, dict)
    # Durations are rounded and ticks joined with the number of the process, so they are looked for within texts.
    text = json.dumps(event, ensure_ascii=False)
    kept = set(leaves_of(event))
    values = [leaf for name, value in record.items() for leaf in leaves_of(value) if name not in unmapped]
    return [leaf for leaf in values if leaf not in kept and leaf != "0" and leaf not in text]
