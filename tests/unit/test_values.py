"""A value is masked to its end, in quotes, over lines and in blocks, and what follows it stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planted_text import VALUE, planted

_MANY_LINES = {
    "YAML block": "password: |\n  @@\n  @@x\nuser: bob\n",
    "YAML folded block": "password: >-\n  @@\n  @@x\nuser: bob\n",
    "YAML on the next line": "password:\n  @@\nuser: bob\n",
    "three quotes": 'password = """\n@@\n@@x\n"""\nuser = "bob"\n',
    "heredoc": "password = <<EOF\n@@\nEOF\nuser=bob\n",
    "indented heredoc": "password = <<-EOT\n  @@\n  EOT\nuser=bob\n",
    "continued line": "password=@@\\\n@@x\nuser=bob\n",
    "escaped line ends": '{"private_key": "@@\\n@@x\\n", "user": "bob"}',
    "element over lines": "<password>\n  @@\n</password>\n<user>bob</user>",
    "list of arguments in YAML": "args:\n  - --password\n  - @@\n  - --user\n  - bob\n",
    "name and value apart": "- name: DB_PASSWORD\n  value: @@\n- name: user\n  value: bob\n",
    "default of a variable": 'variable "db_password" {\n  type = string\n  default = "@@"\n}\nuser = "bob"\n',
}


@pytest.mark.parametrize("text", _MANY_LINES.values(), ids=_MANY_LINES.keys())
def test_a_value_over_several_lines_is_masked_and_the_rest_stays(text: str) -> None:
    out = planted(text)
    assert VALUE not in out
    assert "bob" in out


_ENDS = {
    "blank": ("password=@@ user=bob", " user=bob"),
    "semicolon": ("Password=@@;Encrypt=true", ";Encrypt=true"),
    "ampersand": ("password=@@&page=2", "&page=2"),
    "comma in JSON": ('{"password":"@@","n":1}', '","n":1}'),
    "escaped quote": ('{\\"password\\":\\"@@\\",\\"n\\":1}', '\\",\\"n\\":1}'),
    "tag": ("<password>@@</password>", "</password>"),
    "end of an environment block's entry": ("PASSWORD=@@\0HOME=/root", "\0HOME=/root"),
    "colour": ("\x1b[31mpassword=@@\x1b[0m done", " done"),
    "comment behind quotes": ('password: "@@" # rotate', '" # rotate'),
}


@pytest.mark.parametrize(("text", "rest"), _ENDS.values(), ids=_ENDS.keys())
def test_a_value_ends_where_its_syntax_says(text: str, rest: str) -> None:
    out = planted(text)
    assert VALUE not in out
    assert out.endswith(rest)


@given(st.text("abcXYZ019 ,;:}{)(&|<>/=@#", min_size=1, max_size=30))
def test_whatever_stands_in_quotes_is_masked_to_the_closing_quote(inner: str) -> None:
    value = f"kQ7{inner}xLm2"
    assert planted('{"password": "@@", "n": 1}', value) == '{"password": "[redacted:password]", "n": 1}'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer @@", "Authorization: Bearer [redacted:authorization]"),
        ("Cookie: sid=@@; theme=dark", "Cookie: [redacted:cookie]"),
        ("postgres://bob:@@@db:5432/shop", "postgres://bob:[redacted:url-password]@db:5432/shop"),
    ],
)
def test_what_introduces_a_value_stays(text: str, shown: str) -> None:
    assert planted(text) == shown
