"""A path has one spelling, the view's, wherever an agent counts it, decides by it or writes it down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.v1 import common_pb2, inspect_pb2
from leadglass_agent.api.file_access import explain_access
from leadglass_agent.api.inspect import list_directory, stat_files
from leadglass_agent.api.request_bounds import path_of
from leadglass_agent.api.text import read_text
from leadglass_agent.errors import InvalidRequest
from leadglass_agent.views.paths import parse_path

if TYPE_CHECKING:
    from leadglass_agent.api.question import Question, StreamQuestion

_PROCESS = common_pb2.ProcessRef(pid=1)
_TYPED = "//srv/./shop//app.log/"
_PLAIN = "/srv/shop/app.log"


@given(st.lists(st.sampled_from(["/", ".", "..", "a", "//", "/./", "\u00e4"]), max_size=12).map("".join))
def test_a_path_is_spelled_as_the_view_opens_it(typed: str) -> None:
    try:
        opened = parse_path(typed)
    except InvalidRequest:
        # A path that holds '..' is refused by the view, and must still be after this.
        with pytest.raises(InvalidRequest):
            parse_path(path_of(typed))
        return
    assert path_of(typed).encode() == opened


@pytest.mark.parametrize(
    "question",
    [
        stat_files(inspect_pb2.StatFilesRequest(process=_PROCESS, paths=[_TYPED]).SerializeToString()),
        list_directory(inspect_pb2.ListDirectoryRequest(process=_PROCESS, path=_TYPED).SerializeToString()),
        read_text(inspect_pb2.ReadTextRequest(process=_PROCESS, path=_TYPED).SerializeToString()),
        explain_access(
            inspect_pb2.ExplainAccessRequest(
                process=_PROCESS, path=_TYPED, operation=inspect_pb2.ACCESS_OPERATION_READ
            ).SerializeToString()
        ),
    ],
    ids=["StatFiles", "ListDirectory", "ReadText", "ExplainAccess"],
)
def test_the_log_gets_the_plain_spelling_from_each_view(question: Question | StreamQuestion) -> None:
    assert [value for name, value in question.arguments if name in {"path", "paths"}] == [_PLAIN]


@pytest.mark.parametrize("path", ["", "relative", "/nul\0", "/" + "a/" * 2_048, "//" * 2_049])
def test_what_is_no_path_or_too_long_as_typed_is_refused(path: str) -> None:
    with pytest.raises(InvalidRequest):
        path_of(path)
