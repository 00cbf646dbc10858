"""Values that a name in the same or the next argument makes secret, whatever the program."""

from __future__ import annotations

from typing import Final

from leadglass_agent.redaction.argv.found import ARGUMENT, PRINTS_SECRET, Found
from leadglass_agent.redaction.argv.shapes import is_mixed, is_plain, pair_start
from leadglass_agent.redaction.harmless import is_count, looks_like_token
from leadglass_agent.redaction.keynames import QUERY, TOKEN, VALUE, SecretName, classify
from leadglass_agent.redaction.tables import DIGIT, DIGITS, LOWER, UPPER, run_end, table
from leadglass_agent.redaction.vocabulary import VOCABULARY

_LETTERS: Final = table(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_KEY: Final = table(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@[]-")
_KEY_BREAK: Final = table(b"/:@[]")
_OPTION: Final = table(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
_NAME: Final = table(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:-")
_JOINT: Final = table(b"_.-")
_UPPER: Final = table(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DEFINES: Final = table(b"DPXeE")
_DASH: Final = 0x2D
_EQUALS: Final = 0x3D
_COLON: Final = 0x3A
_SLASH: Final = 0x2F
_CLOSE: Final = 0x5D
_UNDERSCORE: Final = 0x5F
_COMMA: Final = 0x2C
_D: Final = 0x64
_VARIETY: Final = bytes(
    1 if byte in LOWER else 2 if byte in UPPER else 4 if byte in DIGITS or byte in b"!@#$%^&*+~?|" else 0
    for byte in range(256)
)
MAX_KEY: Final = 124
_MAX_OPTION: Final = 62
_MAX_NAME: Final = 64
_MAX_LEVELS: Final = 3
_MIN_CODE: Final = 4
_MAX_CODE: Final = 10
_MAX_CODE_OPTION: Final = 12
_OPTION_START: Final = 2
# Options whose value is a short number, and secret.
_CODES: Final = frozenset((b"pin", b"otp", b"totp", b"passcode", b"tan", b"puk", b"mfa-code", b"otp-code", b"mfa"))
# Options whose value is a user and a password, of any program.
_USER_PAIRS: Final = frozenset(
    (
        b"-u", b"-U", b"-a", b"--user", b"--userpass", b"--user-pass", b"--auth", b"--basic-auth", b"--http-auth",
        b"--credentials", b"--creds", b"--src-creds", b"--dest-creds", b"--proxy-user", b"--auth-cred", b"--login",
        b"--userpwd", b"--proxy-userpwd", b"--basic", b"--http-user", b"--authentication", b"-user", b"--userinfo",
    )
)  # fmt: skip
# Of these, the ones that are also used for a user and a group.
_USERS: Final = frozenset((b"-u", b"-U", b"-a", b"--user", b"-user", b"--login"))
_COMMAND_ENDINGS: Final = (b"command", b"-cmd", b"_cmd")


def equals_in(word: bytes) -> int:
    """Gives the place of the first = among the bytes that may be a name, or -1."""
    limit = min(len(word), MAX_KEY)
    position = 0
    while position < limit:
        if word[position] == _EQUALS:
            return position
        position += 1
    return -1


def pair(word: bytes, index: int, found: Found) -> bool:
    """Spans the value of `key=value`, `--key=value`, `-Dkey=value`, `--set=a.key=value`; says whether it did."""
    position = 0
    length = len(word)
    if word[0] == _DASH:
        position = 1
        if length > 1 and word[1] == _DASH:
            position = 2
    elif word[0] == _SLASH:
        position = 1
    for level in range(_MAX_LEVELS):
        end = run_end(word, position, min(length, position + MAX_KEY), _KEY)
        if end >= length or word[end] != _EQUALS or end == position:
            return False
        secret = _key(word, position, end)
        if secret is None and level == 0 and position == 1 and end > position + 1 and _DEFINES[word[1]]:
            secret = _key(word, position + 1, end)
        if secret is not None:
            return _judged(word, end + 1, index, secret, found)
        position = end + 1
    return False


def colon_pair(word: bytes, index: int, found: Found) -> bool:
    """Spans the value of `/password:value` and `-password:value`."""
    end = run_end(word, 1, min(len(word), MAX_KEY), _LETTERS)
    if end < 3 or end >= len(word) or word[end] != _COLON:  # noqa: PLR2004 - a drive's letter has one
        return False
    secret = classify(word[1:end])
    return secret is not None and secret.form == VALUE and _judged(word, end + 1, index, secret, found)


def option_value(option: bytes, value: bytes, index: int, found: Found) -> bool:  # noqa: PLR0911 - each ends a question
    """Spans the value of an option that is named like a secret; `index` is the value's; says whether it was one."""
    if option in _USER_PAIRS:
        start = pair_start(value, 0, may_be_group=option in _USERS)
        if start >= 0:
            found.add(index, start, len(value), ARGUMENT)
            return True
    length = len(option)
    start = 2 if option[1] == _DASH else 1
    if length - start < 2 or length > _MAX_OPTION or not _LETTERS[option[start]]:  # noqa: PLR2004
        return False
    if run_end(option, start, length, _OPTION) < length or _is_flag(value):
        return False
    name = option[start:]
    if length <= _MAX_CODE_OPTION and name in _CODES:
        return _code(value, index, found)
    if option[length - 1] == _D and _by_command(name, index, 0, found):
        return True
    secret = classify(name)
    if secret is None:
        return False
    if _is_switch(name):
        return False
    return _judged(value, 0, index, secret, found)


def option_pair(word: bytes, equals: int, index: int, found: Found) -> bool:
    """Spans `--user=user:password` and `--pin=1234`; `equals` is the place of the sign."""
    option = word[:equals]
    if option in _USER_PAIRS:
        start = pair_start(word, equals + 1, may_be_group=option in _USERS)
        if start >= 0:
            found.add(index, start, len(word), ARGUMENT)
            return True
    if equals <= _OPTION_START:  # -=, --=: compiled, a slice whose end lies before its start is an error
        return False
    if equals <= _MAX_CODE_OPTION and word[_OPTION_START:equals] in _CODES and _is_code(word[equals + 1 :]):
        found.add(index, equals + 1, len(word), ARGUMENT)
        return True
    if word[equals - 1] == _D and _is_option_name(word, equals):
        return _by_command(word[_OPTION_START:equals], index, equals + 1, found)
    return False


def word_value(  # noqa: PLR0911 - each ends a question
    name: bytes, value: bytes, index: int, found: Found, *, is_set: bool
) -> bool:
    """Spans `password VALUE`, if it looks like one; behind `config set` (`is_set`) it need not."""
    length = len(name)
    if name[-1] == _EQUALS:  # sc config name password= VALUE
        secret = classify(name[:-1]) if length <= _MAX_NAME else None
        return secret is not None and secret.form == VALUE and _judged(value, 0, index, secret, found)
    if length > _MAX_NAME or length < 3 or run_end(name, 0, length, _NAME) < length:  # noqa: PLR2004
        return False
    if not value or value[0] == _DASH or not (is_set or _has_variety(value)):
        return False
    secret = _key(name, 0, length)
    if secret is None or secret.form == QUERY:
        return False
    if is_set and secret.form == VALUE:
        return _judged(value, 0, index, secret, found)
    if not is_mixed(value):
        return False
    if secret.rule_id != "password" and (secret.form != VALUE or not _has_joint(name)) and b":_" not in name:
        return False  # `get secret web-7f9c`: a word that is a name only among others; npm's //host/:_auth is one
    return _judged(value, 0, index, secret, found)


def option_list(word: bytes, start: int, index: int, found: Found) -> None:
    """Spans the passwords of `user=bob,password=x,vers=3`."""
    length = len(word)
    while start < length:
        end = start
        equals = -1
        while end < length and word[end] != _COMMA:
            if word[end] == _EQUALS and equals < 0:
                equals = end
            end += 1
        if start < equals < start + _MAX_NAME and equals + 1 < end:
            secret = classify(word[start:equals])
            if (
                secret is not None
                and secret.form != QUERY
                and not is_plain(word[equals + 1 : end], literal=found.literal)
            ):
                found.add_named(index, equals + 1, end, secret)
        start = end + 1


def _has_variety(value: bytes) -> bool:
    """Says whether a value may be a credential: letters beside digits or symbols, or letters of both cases."""
    kinds = 0
    for position in range(len(value)):
        kinds |= _VARIETY[value[position]]
    return kinds & (kinds - 1) != 0  # more than one bit


def _key(word: bytes, start: int, end: int) -> SecretName | None:
    while end > start and word[end - 1] == _CLOSE:
        end -= 1
    begin = end
    while begin > start and not _KEY_BREAK[word[begin - 1]]:
        begin -= 1
    return classify(word[begin:end]) if end > begin else None


def _judged(value: bytes, start: int, index: int, secret: SecretName, found: Found) -> bool:
    text = value[start:]
    if is_plain(text, literal=found.literal):
        return False
    if secret.form in (TOKEN, QUERY) and not looks_like_token(text):
        return False
    if secret.rule_id == "token" and is_count(text):
        return False
    found.add_named(index, start, len(value), secret)
    return True


def _is_flag(value: bytes) -> bool:
    """Says whether a value is the next option: -x, --xyz or --xyz=…; a password may well begin with a dash."""
    length = len(value)
    if length < 2 or value[0] != _DASH:  # noqa: PLR2004
        return False
    if length == 2:  # noqa: PLR2004
        return _LETTERS[value[1]] != 0
    if value[1] != _DASH or not _LETTERS[value[2]]:
        return False
    end = run_end(value, 2, length, _OPTION)
    return end >= length or value[end] == _EQUALS


def _is_switch(name: bytes) -> bool:
    dash = name.find(b"-")
    first = name if dash < 0 else name[:dash]
    return first.lower().decode("ascii", "replace") in VOCABULARY.switches


def _is_option_name(word: bytes, end: int) -> bool:
    return end > 3 and word[1] == _DASH and run_end(word, 2, end, _OPTION) == end  # noqa: PLR2004


def _by_command(name: bytes, index: int, start: int, found: Found) -> bool:
    """Reads `--password-command 'echo VALUE'`; the script begins at `start`."""
    if not name.endswith(_COMMAND_ENDINGS):
        return False
    dash = max(name.rfind(b"-"), name.rfind(b"_"))
    if name != b"passcommand" and (dash <= 0 or classify(name[:dash]) is None):
        return False
    found.add_script(index, PRINTS_SECRET, start)
    return True


def _code(value: bytes, index: int, found: Found) -> bool:
    if not _is_code(value):
        return False
    found.add(index, 0, len(value), ARGUMENT)
    return True


def _is_code(value: bytes) -> bool:
    length = len(value)
    return _MIN_CODE <= length <= _MAX_CODE and run_end(value, 0, length, DIGIT) == length


def _has_joint(name: bytes) -> bool:
    for position in range(1, len(name)):
        byte = name[position]
        if _JOINT[byte] or (_UPPER[byte] and not _UPPER[name[position - 1]]):
            return True
    return False
