"""Made-up strings are told from words, names and identifiers by their bytes alone."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction.letter_pairs import PAIR_COST
from leadglass_agent.redaction.randomness import shape_of
from leadglass_agent.redaction.shapes import (
    COUNTED,
    DIGEST,
    HEX_SHORT,
    PASSWORD,
    PLAIN,
    RANDOM,
    SHORT,
    UUID,
    WEAK,
)

_ALNUM = string.ascii_letters + string.digits
_ROUNDS = 400


def _shape(text: str) -> int:
    data = f"({text})".encode()
    return shape_of(data, 1, len(data) - 1)


def _made(alphabet: str, length: int) -> list[str]:
    chance = random.Random(f"{alphabet}{length}")  # noqa: S311 - the same strings on every run
    return ["".join(chance.choice(alphabet) for _ in range(length)) for _ in range(_ROUNDS)]


@pytest.mark.parametrize(
    "text",
    [
        "checkout-service",
        "AppWindowToken",
        "getRunningAppProcesses",
        "PubkeyAuthentication",
        "org.apache.hadoop.mapreduce.v2.app.rm.RMContainerAllocator",
        "NSErrorFailingURLStringKey",
        "attempt_1445144423722_0020_m_000000_0",
        "blk_-1608999687919862906",
        "calvisitor-10-105-160-184",
        "app-7d9f8b6c5-xk2v9",
        "0x7f1825d1c7db",
        "curve25519-sha256",
        "TLS_AES_256_GCM_SHA384",
        "HikariPool-1",
        "10000ms",
        "mismatch?",
        "AH01617",
        "2026-03-14T09:26:53.589Z",
        "alice@mail.example.net",
        "QuorumCnxManager$Listener@493",
        "com.android.server.am.ActivityRecord$Token",
        "9cdc1779@2016",
        "hadoop-yarn-common-2.6.0-SNAPSHOT.jar!",
        "15+248+deb12u1",
        "libarchive13",
        "geschwindigkeitsbegrenzung",
    ],
)
def test_words_names_and_numbers_are_plain(text: str) -> None:
    assert _shape(text) == PLAIN


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("550e8400-e29b-41d4-a716-446655440000", UUID),
        ("4bf92f3577b34da6a3ce929d0e0e4736", DIGEST),
        ("docker-" + "7381f06a60b79366" * 4 + ".scope", DIGEST),
        ("0x" + "8345ba3a27707a76" * 4, DIGEST),
        ("6720f0c6ab508d00", HEX_SHORT),
        ("needle291", COUNTED),
        ("vienna1", WEAK),
        ("bob@host7", WEAK),
        ("camel_1987", PASSWORD),
        ("Silver2008#", PASSWORD),
        ("Tr0ub4dor&3", PASSWORD),
        ("V@ll3y178", PASSWORD),
        ("OrangeLadder126", PASSWORD),
        ("YS9O-SG6Y-AT0M-Z9NM", SHORT),
    ],
)
def test_a_shape_is_known_by_what_people_and_programs_make(text: str, shape: int) -> None:
    assert _shape(text) == shape


@pytest.mark.parametrize(
    ("alphabet", "length", "least"),
    [
        (_ALNUM, 20, 0.97),
        (_ALNUM, 32, 0.995),
        (_ALNUM + "-_", 43, 0.99),
        (string.ascii_lowercase + string.digits, 32, 0.97),
        (string.ascii_uppercase + "234567", 32, 0.9),
        (string.ascii_lowercase, 32, 0.97),
    ],
)
def test_nearly_all_generated_strings_are_random(alphabet: str, length: int, least: float) -> None:
    found = sum(_shape(text) == RANDOM for text in _made(alphabet, length))
    assert found >= least * _ROUNDS


@given(st.binary(max_size=300))
def test_whatever_the_bytes_a_run_has_a_shape(data: bytes) -> None:
    assert PLAIN <= shape_of(data, 0, len(data)) <= RANDOM


@given(st.text(_ALNUM + "._-+%~!#$^&*?@", min_size=1, max_size=60))
def test_what_stands_around_a_run_does_not_change_its_shape(text: str) -> None:
    data = text.encode()
    assert shape_of(data, 0, len(data)) == shape_of(b'("' + data + b'") ', 2, 2 + len(data))


def test_the_table_has_a_cost_for_each_pair_of_letters() -> None:
    assert len(PAIR_COST) == len(string.ascii_lowercase) ** 2
    assert PAIR_COST[(ord("q") - 97) * 26 + ord("u") - 97] < PAIR_COST[(ord("q") - 97) * 26 + ord("z") - 97]
