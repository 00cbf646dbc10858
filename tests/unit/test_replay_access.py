"""A recorded verdict about a path, decided anew by another policy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from leadglass.v1 import inspect_pb2
from leadglass.v1.common_pb2 import ProcessRef, VisibleText
from leadglass_client.replay.changes import Kind
from leadglass_client.replay.policies import Policies
from leadglass_client.replay.redecide import redecide
from made_recordings import OPENED, Tape
from policies import policy_of

if TYPE_CHECKING:
    from leadglass_client.replay.redecide import Redecided

_SESSION: Final = "- {id: session, effect: permit, permissions: [session.open]}\n"
_ACCESS: Final = '- {id: access, effect: permit, permissions: [files.access], paths: ["/**"]}\n'
_METADATA: Final = '- {id: metadata, effect: permit, permissions: [files.metadata], paths: ["/**"]}\n'
_ALL: Final = _SESSION + _ACCESS + _METADATA
_ASKED: Final = inspect_pb2.ExplainAccessRequest(
    process=ProcessRef(pid=7, start_ticks=70), path="/app/key", operation=inspect_pb2.ACCESS_OPERATION_READ
)
_NO: Final = inspect_pb2.ExplainAccessResponse(
    verdict=inspect_pb2.ACCESS_VERDICT_DENIED,
    rule=inspect_pb2.ACCESS_RULE_OTHER_BITS,
    component=inspect_pb2.AccessComponent(path=VisibleText(text="/app"), type=inspect_pb2.FILE_TYPE_DIRECTORY),
    identity=inspect_pb2.AccessIdentity(fsuid=1000),
)
_MISSING: Final = inspect_pb2.ExplainAccessResponse(
    verdict=inspect_pb2.ACCESS_VERDICT_DENIED, rule=inspect_pb2.ACCESS_RULE_NO_SUCH_FILE
)


def _anew(reply: inspect_pb2.ExplainAccessResponse, rules: str, before: str = _ALL) -> Redecided:
    tape = Tape()
    tape.call(_ASKED, reply)
    then = replace(policy_of(before), digest=OPENED.policy_digest)
    (one,) = redecide(tape.recording(), Policies(policy_of(rules), then))
    return one


def _kinds(one: Redecided) -> set[tuple[Kind, str]]:
    return {(change.kind, change.what) for change in one.anew.changes}


def test_the_same_policy_changes_nothing() -> None:
    one = _anew(_NO, _ALL)
    assert (one.anew.replies, one.anew.changes) == ((_NO,), ())


def test_a_verdict_about_a_path_that_is_hidden_now_is_lost_and_looks_like_no_file() -> None:
    one = _anew(_NO, _SESSION + _METADATA + _ACCESS.replace("/**", "/etc/**"))
    assert one.anew.replies == (_MISSING,)
    assert _kinds(one) == {(Kind.LOST, "files.access")}


def test_without_the_metadata_of_files_yes_or_no_and_the_rule_are_left() -> None:
    one = _anew(_NO, _SESSION + _ACCESS)
    left = inspect_pb2.ExplainAccessResponse(verdict=_NO.verdict, rule=_NO.rule)
    assert one.anew.replies == (left,)
    assert _kinds(one) == {(Kind.MASKED, "files.metadata")}


def test_what_looked_absent_may_be_told_where_more_is_admitted() -> None:
    narrow = _SESSION + _METADATA + _ACCESS.replace("/**", "/etc/**")
    assert _kinds(_anew(_MISSING, _ALL, narrow)) == {(Kind.MAY_SHOW, "files.access")}
    assert _kinds(_anew(_MISSING, _ALL)) == set()


def test_a_verdict_without_its_place_gains_it_with_the_metadata_of_files() -> None:
    bare = inspect_pb2.ExplainAccessResponse(verdict=_NO.verdict, rule=_NO.rule)
    assert _kinds(_anew(bare, _ALL, _SESSION + _ACCESS)) == {(Kind.SHOWN, "files.metadata")}


def test_where_a_no_would_have_led_is_not_recorded_so_another_policy_may_lose_it() -> None:
    one = _anew(_NO, _SESSION + _METADATA + _ACCESS.replace("/**", "/app/**"))
    assert _kinds(one) == {(Kind.MAY_LOSE, "files.access")}
