"""Spans secrets that the words around their name introduce: `the password for admin is x`, `use x as the password`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.harmless import SECRET_WORDS, is_harmless, looks_like_token, names_secret
from leadglass_agent.redaction.keynames import TOKEN, VALUE
from leadglass_agent.redaction.lines import begins_line
from leadglass_agent.redaction.options import confirm_option, is_option
from leadglass_agent.redaction.password_words import is_password, is_structured, stripped
from leadglass_agent.redaction.quotes import quoted_value
from leadglass_agent.redaction.randomness import shape_of
from leadglass_agent.redaction.shapes import DIGEST, PASSWORD, PLAIN, RANDOM
from leadglass_agent.redaction.signs import COLON, COMMA, DASH, DOUBLE_QUOTE, EQUALS
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import ALNUM, BLANK, DIGIT, QUOTE, run_end, run_start, table, until

if TYPE_CHECKING:
    from leadglass_agent.redaction.keynames import SecretName

_RANK: Final = 40
_MAX_WORDS: Final = 12
_MAX_SENTENCE: Final = 160
_MAX_BACK_WORDS: Final = 5
_MAX_BACK_BLANKS: Final = 8
_MAX_WORD: Final = 128
_MAX_SAID: Final = 1024
_MAX_CONNECTOR: Final = 8
_MAX_NAME: Final = 16
_MIN_PAIR_VALUE: Final = 2
_MIN_SAID: Final = 6
_MIN_CODE: Final = 4
_MAX_CODE: Final = 8
_CODE_RULE: Final = "one-time-code"
# Words behind which the secret follows.
_LINK_WORDS: Final = frozenset(
    (
        "is was are be to as by = : := => -> >> == . on_ now code number equals"
        " ist war lautet or est es era é è foi jest är er là - – — 是 为 は este"
    )
    .encode()
    .split()
)
# Words behind the verb that do not end the sentence: `is now set to x`.
_FILLERS: Final = frozenset(
    b"set now currently the a be to as changed reset updated following just still string value new default for"
    b" literally simply probably your".split()
)
# Words between a secret and its name behind it, and those before the name that may stand between.
_BACK_LINKS: Final = frozenset(b"as is <- # // -- ( = als comme como - to into".split())
_ARTICLES: Final = frozenset(
    b"the a an your my our their his her new temporary initial current login root admin old default master one-time das"
    b" le la el verification security db database wifi user ssh vpn prod production staging test".split()
)
# Behind no link, a longer word than these before a name ends the look back.
_LONGEST_BACK: Final = max(map(len, _BACK_LINKS | _ARTICLES))
_BACK_LAST: Final = table(b"".join(word[-1:] + word[-1:].upper() for word in _BACK_LINKS | _ARTICLES))
_SPLIT: Final = table(b" \t\r\n\0")
_WORD_END: Final = table(b' \t\r\n\0"')
_LETTERS: Final = table(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_NUMBER: Final = table(b"0123456789.,%:+-/")
_NAME: Final = table(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
_NAME_INITIAL: Final = table(b"\"'" + b"".join((word[:1] + word[:1].upper()).encode()[:2] for word in SECRET_WORDS))
_LINK_INITIAL: Final = table(b"".join(word[:1] + word[:1].upper() for word in _LINK_WORDS) + b"0123456789")
_SENTENCE_END: Final = table(b".!?;")
_STRING_END: Final = table(b",}]):;")
_NAME_OPENING: Final = table(b"(#")


def confirm_sentence(data: bytes, name_start: int, position: int, secret: SecretName, out: list[Span]) -> None:
    """Reads on from a name with only spaces behind it: an option's value, a directive's, or that of a sentence."""
    if is_option(data, name_start):
        confirm_option(data, name_start, position, secret, out)
        return
    if secret.form > TOKEN:
        return
    # A directive at the beginning of a line: requirepass "x"
    if position < len(data) and QUOTE[data[position]] and begins_line(data, name_start):
        _directive(data, position, secret, out)
        return
    if not _said_behind(data, position, secret, out):
        said_before(data, name_start, secret, out)


def said_before(data: bytes, name_start: int, secret: SecretName, out: list[Span]) -> None:
    """Reads back from the name: `use x as the password`, `x (password)`, `x is your code`, `x # password`."""
    end = name_start
    linked = end > 0 and _NAME_OPENING[data[end - 1]] != 0
    if linked:
        end -= 1
    for _ in range(_MAX_BACK_WORDS):
        end = run_start(data, end, max(0, end - _MAX_BACK_BLANKS), BLANK)
        start = end
        if not linked and (start == 0 or not _BACK_LAST[data[start - 1]]):
            return
        longest = _MAX_WORD if linked else _LONGEST_BACK + 1
        while start > 0 and end - start < longest and not _SPLIT[data[start - 1]]:
            start -= 1
        if start >= end or (end - start > _LONGEST_BACK and not linked):
            return
        if linked:
            first, last, _quoted = stripped(data, start, end)
            if _is_said_before(data, first, last, secret):
                out.append(Span(first, last, _RANK, secret.rule_id))
                return
        word = data[start:end].lower()
        if word in _BACK_LINKS:
            linked = True
        elif word not in _ARTICLES:
            return
        end = start


def _word_end(data: bytes, position: int, limit: int) -> int:
    """Gives the end of a word: a blank, or the quote that ends the string in which the sentence stands."""
    end = until(data, position, limit, _WORD_END)
    if end == position < limit and data[end] == DOUBLE_QUOTE:
        return until(data, end, limit, _SPLIT)
    return end


def _directive(data: bytes, position: int, secret: SecretName, out: list[Span]) -> None:
    start, stop, _quoted = quoted_value(data, position)
    if start > 0 and secret.form == VALUE and not is_harmless(data[start:stop], quoted=True):
        out.append(Span(start, stop, _RANK, secret.rule_id))


def _said_behind(data: bytes, position: int, secret: SecretName, out: list[Span]) -> bool:
    """Reads the words behind a name up to the secret that they speak of; says whether there is one."""
    limit = min(len(data), position + _MAX_SENTENCE)
    linked = False
    by_colon = False
    for index in range(_MAX_WORDS):
        end = _word_end(data, position, limit)
        if end <= position or (not linked and _is_last_word(data, position, end, limit)):
            break
        # Most words are plain ones behind no verb: these are decided by their letters alone.
        if linked or run_end(data, position, end, _LETTERS) < end - 1:
            start, stop, quoted = stripped(data, position, end)
            if stop > start and _is_said(data, start, stop, secret, linked, quoted, index == 0):
                out.append(Span(start, stop, _RANK, secret.rule_id))
                return True
        if _names_another(data, position, end):
            break  # what follows is read from there
        if linked and not _goes_on(data, position, end):
            if by_colon:
                break
            linked = False
        if _links(data, position, end, index):
            linked = True
            by_colon = _ends_in_separator(data, end)
        elif _ends_sentence(data, position, end, linked) or (end < limit and data[end] == DOUBLE_QUOTE):
            break
        position = run_end(data, end, limit, BLANK)
    return False


def _is_last_word(data: bytes, start: int, end: int, limit: int) -> bool:
    """Says whether a string ends with this word and leaves nothing to say, as most messages in JSON do."""
    if end >= limit or data[end] != DOUBLE_QUOTE or run_end(data, start, end, _LETTERS) < end:
        return False
    return not _LINK_INITIAL[data[start]] or data[start:end].lower() not in _LINK_WORDS


def _is_said(  # noqa: PLR0911 - each ends a question
    data: bytes,
    start: int,
    stop: int,
    secret: SecretName,
    linked: bool,  # noqa: FBT001 - compiled code is called fastest by position
    quoted: bool,  # noqa: FBT001
    first: bool,  # noqa: FBT001
) -> bool:
    """Says whether a word of the sentence is the secret that it speaks of."""
    if stop - start > _MAX_SAID:
        return False
    if secret.rule_id == _CODE_RULE:
        return (linked or first) and _is_code(data, start, stop)
    shape = shape_of(data, start, stop)
    if shape == PLAIN and not linked and not first:
        return False
    if _is_pair(data, start, stop) or run_end(data, start, stop, _NUMBER) == stop:
        return False
    text = data[start:stop]
    if is_harmless(text, quoted=quoted) or names_secret(text):
        return False
    if not quoted and b"@" in text and _is_mail_address(text):
        return False
    if secret.form == VALUE:
        return _is_value(text, shape, secret, linked, quoted, first)
    # A name that is also used for plain things: only what is certainly no word, and only where the sentence says so.
    if not linked and not first:
        return False
    return shape == RANDOM or (shape >= DIGEST and looks_like_token(text) and not is_structured(text))


def _is_value(
    text: bytes,
    shape: int,
    secret: SecretName,
    linked: bool,  # noqa: FBT001 - compiled code is called fastest by position
    quoted: bool,  # noqa: FBT001
    first: bool,  # noqa: FBT001
) -> bool:
    """Says whether a word beside the name of a secret is its value."""
    if shape in (PASSWORD, RANDOM):
        return linked or not (is_structured(text) or _is_object_name(text, secret))
    if not linked:
        return first and is_password(text) and not _is_object_name(text, secret)
    if shape != PLAIN or is_password(text, expected=True):
        return True
    return quoted and not text.islower() and len(text) >= _MIN_SAID


def _is_object_name(text: bytes, secret: SecretName) -> bool:
    """Says whether it is what Kubernetes calls a Secret: lower-case words joined by dashes."""
    if secret.rule_id != "secret":
        return False
    return b"-" in text and text.replace(b"-", b"").isalnum() and text == text.lower()


def _is_mail_address(text: bytes) -> bool:
    """Says whether it is an address that mail goes to: `a password reset was sent to bob@shop.example`."""
    at = text.find(b"@")
    dot = text.rfind(b".")
    if at <= 0 or dot <= at + 1 or not text[dot + 1 :].isalpha():
        return False
    local_part = run_end(text, 0, at, _NAME)
    return local_part == at and run_end(text, at + 1, len(text), _NAME) == len(text)


def _is_pair(data: bytes, start: int, stop: int) -> bool:
    """Says whether the word is a pair of its own: name=value."""
    name = run_end(data, start, stop, _NAME)
    return start < name < stop - _MIN_PAIR_VALUE and data[name] == EQUALS and not DIGIT[data[start]]


def _is_code(data: bytes, start: int, stop: int) -> bool:
    if not _MIN_CODE <= stop - start <= _MAX_CODE:
        return False
    digits = 0
    for position in range(start, stop):
        if DIGIT[data[position]]:
            digits += 1
        elif not ALNUM[data[position]] and data[position] != DASH:
            return False
    return digits >= _MIN_CODE


def _names_another(data: bytes, start: int, end: int) -> bool:
    if not _NAME_INITIAL[data[start]] or end - start > _MAX_NAME:
        return False
    return names_secret(data[start:end].strip(b"\"'"))


def _links(data: bytes, start: int, end: int, index: int) -> bool:
    """Says whether the secret follows this word."""
    if _ends_in_separator(data, end):
        return True
    if end - start > _MAX_CONNECTOR or not _LINK_INITIAL[data[start]]:
        return False
    if index == 0 and end - start == 1 and DIGIT[data[start]]:
        return True  # how the key of a network device is written: secret 5 $1$…
    return data[start:end].lower() in _LINK_WORDS


def _ends_in_separator(data: bytes, end: int) -> bool:
    last = data[end - 1]
    return last in (COLON, EQUALS)


def _goes_on(data: bytes, start: int, end: int) -> bool:
    """Says whether a value may still follow this word behind the verb: `is now set to x`, `is: x`."""
    if data[start] == DASH:
        return True
    return data[start:end].lower() in _FILLERS or _links(data, start, end, 1)


def _ends_sentence(data: bytes, start: int, end: int, linked: bool) -> bool:  # noqa: FBT001 - by position, see above
    last = data[end - 1]
    return _SENTENCE_END[last] != 0 or (last == COMMA and not linked) or _closes_string(data, start, end)


def _closes_string(data: bytes, start: int, end: int) -> bool:
    """Says whether a string literal ends within this word, as at the end of a message in JSON."""
    for position in range(start + 1, end):
        if QUOTE[data[position]] and (position + 1 >= end or _STRING_END[data[position + 1]]):
            return not QUOTE[data[start]]
    return False


def _is_said_before(data: bytes, first: int, last: int, secret: SecretName) -> bool:
    if last - first < _MIN_CODE:
        return False
    if secret.rule_id == _CODE_RULE:
        return _is_code(data, first, last)
    text = data[first:last]
    if shape_of(data, first, last) != RANDOM and not (last - first >= _MIN_SAID and is_password(text, expected=True)):
        return False
    return not is_harmless(text, quoted=True) and not is_structured(text)
