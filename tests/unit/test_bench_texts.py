"""The texts of the benchmarks: the same each time, as dense as their names say, and with their secrets known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generated_texts import KINDS, generate
from speed import TextsName, remains, time_passes
from text_filler import Filler

if TYPE_CHECKING:
    from pathlib import Path

MEGABYTE = 1_000_000


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_text_is_the_beginning_of_a_large_one(kind: str) -> None:
    small, large = generate(kind, 20_000), generate(kind, 60_000)
    assert 20_000 <= small.size_bytes < large.size_bytes
    assert b"".join(b"".join(call) for call in large.calls).startswith(b"".join(b"".join(call) for call in small.calls))
    assert large.secrets[: len(small.secrets)] == small.secrets


@pytest.mark.parametrize("kind", KINDS)
def test_every_secret_stands_in_its_call(kind: str) -> None:
    texts = generate(kind, 600_000)
    assert texts.secrets
    for secret in texts.secrets[:200]:
        assert len(secret.value) >= 14
        assert any(secret.value in part for part in texts.calls[secret.call])


def test_dense_logs_have_a_secret_on_every_second_line_of_about_100_bytes() -> None:
    texts = generate("dense-logs", MEGABYTE)
    lines = texts.calls[0][0].splitlines()
    assert len(texts.secrets) == pytest.approx(len(lines) / 2, abs=1)
    assert 80 < len(texts.calls[0][0]) / len(lines) < 120


def test_sparse_logs_have_one_secret_in_a_thousand_lines() -> None:
    texts = generate("sparse-json-logs", MEGABYTE)
    assert len(texts.secrets) == texts.calls[0][0].count(b"\n") // 1000


def test_argument_lists_have_200_bytes() -> None:
    texts = generate("argument-lists-200-bytes", 20_000)
    assert texts.are_arguments
    assert {sum(map(len, call)) for call in texts.calls} == {200}


def test_filler_says_what_of_a_text_is_secret() -> None:
    filled = Filler("test").fill("user={digits:3} password=«x{hex:8}» again=«{alnum:20}».")
    first, second = filled.secrets
    assert filled.text == b"user=" + filled.text[5:8] + b" password=" + first + b" again=" + second + b"."
    assert (first[:1], len(first), len(second)) == (b"x", 9, 20)


@given(st.binary(min_size=5, max_size=60))
def test_a_value_remains_until_less_than_60_percent_of_it_is_left_in_one_piece(value: bytes) -> None:
    kept = -(-len(value) * 60 // 100)
    assert remains(b"before " + value + b" after", value)
    assert remains(value[:kept], value)
    assert remains(value[-kept:], value)
    assert not remains(value[: kept - 1], value)


def test_a_folder_of_real_logs_is_read_up_to_the_size_asked_for(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.log").write_bytes(b"first\n" * 100)
    (tmp_path / "deep" / "b.log").write_bytes(b"caf\xe9\n" * 100_000)
    (tmp_path / "empty.log").touch()
    timing = time_passes("memcpy", TextsName("real-logs", 10_000, str(tmp_path)), 0.001)
    assert timing.calls == 2
    assert 10_000 <= timing.size_bytes < 20_000
    assert timing.cpu_seconds > 0
