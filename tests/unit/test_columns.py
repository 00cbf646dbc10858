"""A column under a secret's name is masked, and a table that only speaks of secrets is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planted_text import VALUE, planted, shown

_TABLES = {
    "comma-separated": "user,password,host\nbob,@@,db1\nann,@@,db2\n",
    "semicolons": "user;api_key;host\nbob;@@;db1\n",
    "tabs": "user\tpassword\thost\nbob\t@@\tdb1\n",
    "last column": "id,user,password\n7,bob,@@\n",
    "first column": "password,user\n@@,bob\n",
    "quoted fields": '"user","password","host"\n"bob","@@","db1"\n',
    "carriage returns": "user,password,host\r\nbob,@@,db1\r\n",
    "psql": " id | username | password | active\n----+----------+----------+--------\n  7 | bob      | @@ | t\n",
    "mysql": "+----+------+----+\n| id | user | password |\n+----+------+----+\n| 7 | bob | @@ |\n+----+------+----+\n",
    "no line end behind the last row": "user,password,host\nbob,@@,db1",
    "camel case": "userName,clientSecret,createdAt\nbob,@@,2026-11-22\n",
}


@pytest.mark.parametrize("table", _TABLES.values(), ids=_TABLES.keys())
def test_the_values_below_a_secrets_name_are_masked(table: str) -> None:
    out = planted(table)
    assert VALUE not in out
    assert "bob" in out


def test_the_other_columns_and_the_lines_behind_the_table_stay() -> None:
    out = planted("user,password,host\nbob,@@,db1\nann,@@,db2\n\nrows: 2\n")
    assert out == "user,password,host\nbob,[redacted:password],db1\nann,[redacted:password],db2\n\nrows: 2\n"


@pytest.mark.parametrize(
    "table",
    [
        "| option | password | meaning |\n|---|---|---|\n| -p | required | what the user types |\n",
        "| name | token | description |\n|---|---|---|\n| ci | optional | used by the pipeline |\n",
        "user,password_changed,host\nbob,true,db1\n",
        "user,token_count,host\nbob,1288,db1\n",
        "user,password,host\nbob,,db1\n",
        "user,password,host\nbob,********,db1\n",
        "user,password,host\nbob,NULL,db1\n",
        "the password, the token and the key\nare kept, rotated, and revoked\n",
    ],
)
def test_a_table_that_holds_no_secret_stays_as_it_is(table: str) -> None:
    assert shown(table) == table


@given(st.integers(1, 40), st.integers(0, 5))
def test_every_row_of_a_table_is_masked(rows: int, column: int) -> None:
    head = ["id", "user", "host", "city", "state"]
    head.insert(column, "password")
    lines = [",".join(head)]
    for row in range(rows):
        fields = [str(row), "bob", "db1", "rome", "ok"]
        fields.insert(column, f"{VALUE}{row}")
        lines.append(",".join(fields))
    out = shown("\n".join(lines) + "\n")
    assert VALUE not in out
    assert out.count("[redacted:password]") == rows
