"""A standing is read from a recording as it was, so that another policy decides on the same facts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.policy.model import Permission, ProcessSelector, SpiffeId, Tier
from leadglass_agent.policy.standing import Evidence, GrantedScope, Standing
from leadglass_agent.recordings.format import RecordingError
from leadglass_agent.recordings.standing_json import standing_fields, standing_of

_texts = st.text(max_size=12)
_lists = st.lists(_texts, max_size=3).map(tuple)
_numbers = st.integers(0, 2**62)
_evidence = st.builds(Evidence, _texts, st.frozensets(_texts, max_size=3), _texts, _numbers)
_selectors = st.builds(ProcessSelector, _lists, _lists, st.lists(_numbers, max_size=3).map(tuple))
_grants = st.builds(
    GrantedScope,
    grant_id=_texts,
    permissions=st.frozensets(st.sampled_from(Permission), max_size=4),
    approvers=st.lists(_texts.map(SpiffeId), max_size=3).map(tuple),
    minutes=_numbers,
    processes=st.lists(_selectors, max_size=2).map(tuple),
    names=_lists,
    paths=_lists,
)
_standings = st.builds(
    Standing,
    unix_ns=_numbers,
    tier=st.sampled_from(Tier),
    certificate_since_unix=_numbers,
    evidence=st.none() | _evidence,
    grants=st.lists(_grants, max_size=3).map(tuple),
)


@given(standing=_standings)
def test_a_standing_is_read_as_it_was_written(standing: Standing) -> None:
    text = json.dumps(standing_fields(standing))
    assert standing_of(json.loads(text)) == standing


def test_what_is_a_set_is_written_in_one_order() -> None:
    def written(names: list[str]) -> str:
        evidence = Evidence("alice", frozenset(names), "", 1)
        return json.dumps(standing_fields(Standing(1, Tier.PROD, 1, evidence)))

    names = [f"method-{number}" for number in range(20)]
    assert written(names) == written(names[::-1])
    assert json.loads(written(names))["evidence"]["amr"] == sorted(names)


@pytest.mark.parametrize("change", [{"tier": "staging"}, {"unix_ns": "1"}, {"grants": [{}]}, {"more": 1}])
def test_what_is_no_standing_is_refused(change: dict[str, object]) -> None:
    fields = {**standing_fields(Standing(1, Tier.PROD, 1)), **change}
    with pytest.raises(RecordingError):
        standing_of(json.loads(json.dumps(fields)))
