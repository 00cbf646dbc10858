"""Ids are drawn so that people can type them."""

from __future__ import annotations

from leadglass_agent.processes.books import new_id


def test_no_id_looks_like_an_option_and_none_comes_twice() -> None:
    drawn = [new_id() for _ in range(5_000)]
    assert not any(one.startswith("-") for one in drawn)
    assert len(set(drawn)) == len(drawn)
    assert {len(one) for one in drawn} == {32}
