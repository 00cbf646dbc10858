"""Spans the literals in code: the argument of a setter, of a constructor, the default of a lookup, a concatenation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.harmless import is_harmless, names_secret
from leadglass_agent.redaction.password_words import is_password
from leadglass_agent.redaction.quotes import quoted_value
from leadglass_agent.redaction.signs import CLOSE, OPEN
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import ALNUM, LINE_END, QUOTE, run_end, run_start, table

if TYPE_CHECKING:
    from leadglass_agent.redaction.findings import RuleId

_MAX_NAME: Final = 80
_MAX_ARGUMENTS: Final = 400
_MAX_PARTS: Final = 16
_MAX_LITERALS: Final = 8
_MAX_BLANKS: Final = 64
_MAX_JOINT: Final = 120
_MIN_PROMPT: Final = 9
_IDENTIFIER: Final = table(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:>-!?&*<")
_WORD: Final = table(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_BLANKS: Final = table(b" \t\r\n")
_NO_JOINT: Final = table(b",:;)]}>\r\n")
_JOINERS: Final = table(b" \t\r\n\\+.&,")
_COMMAS: Final = table(b" \t\r\n,")
_PROMPT_END: Final = table(b":?.")
_KEYWORDS: Final = (b"new", b"await", b"return")
# A call whose name begins so asks for a secret by its name, and the name is no secret.
_ASKING: Final = tuple(b"get fetch read load find has is lookup resolve require delete list".split())
# A call whose name holds one of these does so with its first argument.
_LOOKUPS: Final = tuple(
    b"env get config lookup param setting option default vault secret load input prompt fetch read find open ask"
    b" require split match search compile format print log test replace index starts ends contains equals".split()
)
_WRAPPERS: Final = (b"secretstr", b"secret", b"secretstring", b"secretvalue")
_ENCODINGS: Final = frozenset(b"utf-8 utf8 ascii base64 hex latin1 utf-16 sha256 sha512 md5".split())


def confirm_call(data: bytes, name_start: int, position: int, rule_id: RuleId, rank: int, out: list[Span]) -> None:
    """Spans the string that a call such as `setPassword("x")` is given; `position` is its parenthesis."""
    start = run_start(data, name_start, max(0, name_start - _MAX_NAME), _WORD)
    if data[start:position].lower().startswith(_ASKING):
        return
    argument = run_end(data, position + 1, min(len(data), position + _MAX_BLANKS), _BLANKS)
    start, end, _quoted = quoted_value(data, argument)
    if start < 0:
        return
    if rule_id in ("credential", "login"):
        # new Credentials("user", "password"): the first of several is a name.
        second, last = _following(data, end)
        if second >= 0:
            start, end = second, last
    text = data[start:end]
    if not is_harmless(text, quoted=True) and not names_secret(text) and not _is_prompt(text):
        out.append(Span(start, end, rank, rule_id))
        confirm_continued(data, end, rule_id, rank, out)
    second, last = _following(data, end)
    if second > 0 and is_password(data[second:last], expected=True):
        out.append(Span(second, last, rank, rule_id))


def confirm_expression(data: bytes, start: int, end: int, rule_id: RuleId, rank: int, out: list[Span]) -> bool:
    """Spans a call's literals: `SecretStr("x")`, `os.getenv("NAME", "x")`; says whether the value is a call."""
    opening = run_end(data, start, min(end, start + _MAX_NAME), _IDENTIFIER)
    if data[start:opening] in _KEYWORDS:
        opening = run_end(data, opening + 1, min(len(data), start + _MAX_NAME), _IDENTIFIER)
    if opening >= len(data) or data[opening] != OPEN or opening == start or not ALNUM[data[opening - 1]]:
        return False
    seen = 0
    taken_from = 2 if _asks(data[start:opening].lower()) else 1
    position = opening + 1
    limit = min(len(data), opening + _MAX_ARGUMENTS)
    depth = 1
    while position < limit and depth > 0 and seen < _MAX_LITERALS and not LINE_END[data[position]]:
        byte = data[position]
        if byte == OPEN:
            depth += 1
        elif byte == CLOSE:
            depth -= 1
        elif QUOTE[byte]:
            first, last, _quoted = quoted_value(data, position)
            if first < 0:
                position += 2
                continue
            seen += 1
            if seen >= taken_from and _is_secret(data[first:last]):
                out.append(Span(first, last, rank, rule_id))
            position = last
        position += 1
    return True


def confirm_continued(data: bytes, position: int, rule_id: RuleId, rank: int, out: list[Span]) -> None:
    r"""Spans the strings that are joined to the one that ends at `position`: `"a" + "b"`, `"a" . "b"`, `"a" \ "b"`."""
    for _ in range(_MAX_PARTS):
        if position + 1 >= len(data) or not QUOTE[data[position]] or _NO_JOINT[data[position + 1]]:
            return
        next_part = run_end(data, position + 1, min(len(data), position + _MAX_JOINT), _JOINERS)
        joint = data[position + 1 : next_part]
        if b"," in joint or not (b"+" in joint or b"." in joint or b"&" in joint or b"\\" in joint):
            return
        start, end, _quoted = quoted_value(data, next_part)
        if start < 0:
            return
        out.append(Span(start, end, rank, rule_id))
        position = end


def _following(data: bytes, end: int) -> tuple[int, int]:
    """Gives the bounds of the string behind the one that ends at `end`; a start below 0 is none."""
    start, stop, _quoted = quoted_value(data, run_end(data, end + 1, min(len(data), end + _MAX_BLANKS), _COMMAS))
    return start, stop


def _asks(called: bytes) -> bool:
    """Says whether the first argument of the call is the name of what it asks for."""
    called = called[max(called.rfind(b"."), called.rfind(b":"), called.rfind(b">")) + 1 :]
    if called in _WRAPPERS:
        return False
    for word in _LOOKUPS:  # noqa: SIM110 - a generator costs more than the search
        if word in called:
            return True
    return False


def _is_secret(text: bytes) -> bool:
    return (
        b"${" not in text
        and not is_harmless(text, quoted=True)
        and not names_secret(text)
        and text.lower() not in _ENCODINGS
    )


def _is_prompt(text: bytes) -> bool:
    return b" " in text and len(text) >= _MIN_PROMPT and _PROMPT_END[text[-1]] != 0
