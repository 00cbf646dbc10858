"""Reads what stands around a run of bytes: the name before it, its line, the call or address that it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from leadglass_agent.redaction.identifiers import (
    ACCOUNT,
    ANY,
    CODE,
    ENDINGS,
    IDENTIFIER,
    PASSWORD_NAME,
    SECRET,
    THING,
    kind_of,
)
from leadglass_agent.redaction.run_counts import CLASS, IS_LOWER, IS_UPPER
from leadglass_agent.redaction.tables import BASE64, BLANK, LINE_END, QUOTE, SPACE, run_end, run_start, table

if TYPE_CHECKING:
    from mypy_extensions import i64  # the compiler reads it; plain Python takes it for an int

# How a run is linked to the name before it.
APART: Final = 0
BESIDE: Final = 1  # blanks, quotes and brackets
LINKED: Final = 2  # an equals sign or a colon

# How much is taken for a secret: what can be nothing else, what may be one, or all that is not certainly plain.
SILENT: Final = -1
PRECISE: Final = 0
EXPECTANT: Final = 1
LIBERAL: Final = 2

# A word for a secret reaches so far along its line.
REACH: Final = 64
_REACH_BACK: Final = 40
_MAX_PHRASE: Final = 32
_MAX_GAP: Final = 12
_MAX_NAME: Final = 80
_NEWLINE: Final = 0x0A
_EQUALS: Final = 0x3D
_COLON: Final = 0x3A
_SLASH: Final = 0x2F
_COMMA: Final = 0x2C
_OPEN: Final = 0x28
_LESS: Final = 0x3C
_BACKSLASH: Final = 0x5C
_GREATER: Final = 0x3E
_LETTERS: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_GAP: Final = table(b" \t\"'`=:>[](<\\\r\n-*")
PHRASE: Final = table(_LETTERS + b" \t'()" + bytes(range(0x80, 0x100)))
_USER: Final = table(_LETTERS + b"_")
_PATH: Final = table(b"/.~")
_NAME_IN_QUERY: Final = table(_LETTERS + b"0123456789_.-=")
_DANGLING: Final = table(b" \t\"'`=:>,\\\r\n|-")
_PASSWORD_OPTIONS: Final = frozenset((b"-p", b"-P", b"-pw", b"-w", b"-a", b"-K", b"-k", b"-s"))
_COPULAS: Final = frozenset(
    b"|is|was|will be|has been changed to|changed to|set to|reset to|is now|ist|lautet|est|es|e"
    b"|je|jest|er|on|-|->|>>|(|{|]|\xc3\xa9|\xc3\xa8|\xc3\xa4r|\xc2\xab|\xe2\x80\x9c|\xe2\x80\x98".split(b"|")
)
# Of adjectives, participles and nouns that say something about a password.
_ENDINGS_OF_PROSE: Final = tuple(
    b"ed ing ent ect able ible ory ion ance ence ity ure ish ty ly old ong eak ort ame ield ile tch er"
    b" rs ts ns ds".split()
)
_CLOSE: Final = table(b".!\"'`)}]> \t" + bytes((0xC2, 0xBB, 0xE2, 0x80, 0x9D, 0x99)))
_MAX_CLOSE: Final = 4
# Outside of logs these speak of a password, too.
_ACCESSES: Final = frozenset((b"wifi", b"wlan", b"ssid", b"creds", b"zugang", b"zugangsdaten", b"login", b"logins"))
_NETWORKS: Final = frozenset((b"wifi", b"wlan", b"wi-fi", b"wpa", b"wpa2", b"wep", b"network", b"guest"))
_COUNTED_CODES: Final = frozenset(
    b"error status exit return response zip postal country area source http result reason op key char vendor".split()
)
_PUBLIC_OWNERS: Final = frozenset((b"public", b"host", b"primary", b"foreign"))
_CODE_OWNERS: Final = frozenset(
    b"pin door login security access verification otp unlock activation confirmation time backup gate alarm safe"
    b" sms auth".split()
)
# Public keys of SSH, checksums of packages, mangled symbols.
_PUBLIC_HEADS: Final = (
    b"AAAAB3NzaC1",
    b"AAAAC3NzaC1",
    b"AAAAE2VjZHNh",
    b"AAAAG",
    b"sha512-",
    b"sha384-",
    b"sha256-",
    b"sha1-",
    b"_ZN",
    b"h1:",
)
_MEDIA: Final = (b"data:image/", b"data:font/", b"data:audio/", b"data:video/", b"data:application/")


@final
class Line:
    """What stood before a run of bytes on its line."""

    __slots__ = (
        "asked_for_code",
        "mode",
        "name_end",
        "name_start",
        "public_end",
        "secret_end",
        "secret_kind",
        "sought_to",
    )

    def __init__(self, mode: int = EXPECTANT) -> None:
        self.mode = mode
        # Whether the line before spoke of a code: > what was the pin again?
        self.asked_for_code = False
        # The end of the last name of a public key.
        self.public_end: i64 = -1
        self.name_start: i64 = 0
        self.name_end: i64 = 0
        self.secret_end: i64 = -1
        self.secret_kind: i64 = ANY
        # No end of a block stands before this place.
        self.sought_to: i64 = 0

    def name(self, data: bytes) -> bytes:
        """Gives the run before, or its last bytes when it is long."""
        return data[max(self.name_start, self.name_end - _MAX_NAME) : self.name_end]


def end_line(data: bytes, position: int, line: Line) -> None:
    """Forgets what the line said, unless it ends right behind a word for a secret."""
    if line.secret_end >= 0:
        between = line.secret_end
        while between < position and _DANGLING[data[between]]:
            between += 1
        if between == position and position - line.secret_end <= _MAX_GAP and data[position] != 0:
            return
    line.asked_for_code = line.mode == LIBERAL and line.secret_kind == CODE
    line.secret_end = -1
    line.secret_kind = ANY
    line.name_end = line.name_start = position + 1


def may_be_secret(data: bytes, end: int) -> bool:
    """Says whether a word for a secret may end here; most words are told by their last three letters."""
    if end < len(b"key"):
        return False
    return ENDINGS[(data[end - 3] & 31) << 10 | (data[end - 2] & 31) << 5 | data[end - 1] & 31] != 0


def note(data: bytes, start: int, end: int, line: Line) -> None:
    """Remembers a word for a secret."""
    word = data[max(start, end - _MAX_NAME) : end]
    kind = kind_of(word)
    if line.mode != EXPECTANT:
        if line.mode == LIBERAL and word.lower() == b"code" and line.name(data).lower() not in _COUNTED_CODES:
            kind = CODE
        elif word.lower() in _ACCESSES or (word.lower() in (b"key", b"keys") and line.name(data).lower() in _NETWORKS):
            kind = PASSWORD_NAME
    if kind in (SECRET, CODE, PASSWORD_NAME):
        if word == b"key" and line.name(data).lower() in _PUBLIC_OWNERS:
            line.public_end = end
            return
        if word == b"code" and start - line.name_end == 1 and line.name(data).lower() in _CODE_OWNERS:
            kind = CODE
        line.secret_end = end
        line.secret_kind = kind


def link(data: bytes, start: int, line: Line) -> int:
    """Says how the run is linked to the one before it: by a sign, by blanks and quotes alone, or not at all."""
    end = line.name_end
    if start - end > _MAX_GAP or line.name_end <= line.name_start:
        return APART
    link = BESIDE
    position: i64 = end
    stop: i64 = start
    byte: i64 = 0
    while position < stop:
        byte = data[position]
        position += 1
        if byte == _EQUALS or byte == _COLON:  # noqa: PLR1714, SIM109 - compiled, a tuple costs more
            link = LINKED
        elif not _GAP[byte] and not (byte == _COMMA and QUOTE[data[position - 2]]):
            return APART
    return link


def is_named(data: bytes, line: Line) -> bool:
    """Says whether the name before a run is a password's, or the last word of a phrase that begins with one."""
    if line.secret_end == line.name_end:
        return True
    if kind_of(line.name(data)) in (THING, IDENTIFIER):
        return False
    return (
        line.name_end - line.secret_end <= _MAX_PHRASE
        and run_end(data, line.secret_end, line.name_end, PHRASE) == line.name_end
    )


def is_said(data: bytes, start: int, end: int, line: Line) -> bool:
    """Says whether a word is what a sentence or a command gives as the password, and the last on its line.

    `the password is orangerabbit`, `username bob password orangerabbit`, but not `password is required`.
    """
    following = run_end(data, end, min(len(data), end + _MAX_CLOSE), _CLOSE)
    if following < len(data) and not LINE_END[data[following]]:
        return False
    between = data[line.secret_end : start].strip(b" \t\"'").lower()
    if start - line.secret_end > _MAX_PHRASE:
        return False
    if between in _COPULAS:
        return not data.endswith(_ENDINGS_OF_PROSE, start, end)
    return False


def is_pair(data: bytes, start: int, end: int) -> bool:
    """Says whether a run may be the password of `user:password`: no blank before, and nothing behind."""
    if data[start - 1] != _COLON or (end < len(data) and not SPACE[data[end]] and not QUOTE[data[end]]):
        return False
    name = run_start(data, start - 1, max(0, start - REACH), _USER)
    return name < start - 1 and (name == 0 or SPACE[data[name - 1]] != 0 or QUOTE[data[name - 1]] != 0)


def is_account(data: bytes, start: int, end: int, line: Line) -> bool:
    """Says whether a run stands behind the `/` of an account's name, behind `echo`, or is the value of `-p`."""
    name = line.name(data)
    if start - line.name_end == 1 and data[start - 1] == _SLASH:
        if kind_of(name) == ACCOUNT:
            return True
        return data.find(b"@", start, end) > start and (line.name_start == 0 or _PATH[data[line.name_start - 1]] == 0)
    if data[start - 1] == _GREATER and start > 1 and BLANK[data[start - 2]]:
        return True  # ACL SETUSER bob on >secret
    if name in _PASSWORD_OPTIONS:
        return start - line.name_end <= 2  # noqa: PLR2004 - a blank and a quote
    return name == b"echo"


def is_argument(data: bytes, start: int, end: int) -> bool:
    """Says whether the run is a whole quoted argument of a call."""
    if start == 0 or end >= len(data) or not QUOTE[data[start - 1]] or data[end] not in (data[start - 1], _BACKSLASH):
        return False
    position = start - 2
    while position >= 0 and BLANK[data[position]]:
        position -= 1
    return position >= 0 and (data[position] == _OPEN or data[position] == _COMMA)


def secret_follows(data: bytes, end: int) -> bool:
    """Says whether a word for a secret stands shortly behind, on the same line."""
    limit = min(len(data), end + _REACH_BACK)
    position = end
    while position < limit and not LINE_END[data[position]]:
        if CLASS[data[position]] & (IS_LOWER | IS_UPPER) == 0:
            position += 1
            continue
        start = position
        while position < limit and CLASS[data[position]] & (IS_LOWER | IS_UPPER):
            position += 1
        if may_be_secret(data, position):
            kind = kind_of(data[start:position])
            if kind in (SECRET, CODE, PASSWORD_NAME):
                return True
    return False


def in_query(data: bytes, start: int) -> bool:
    """Says whether a run is the value of a URL's parameter."""
    position = run_start(data, start - 1, max(0, start - REACH), _NAME_IN_QUERY)
    return position > 0 and data[position - 1] in b"?&"


def is_public(data: bytes, start: int) -> bool:
    """Says whether the surroundings show a public key, a picture, a checksum, a message's name or a mangled symbol."""
    if data.startswith(_PUBLIC_HEADS, start):
        return True
    first = run_start(data, start, max(0, start - REACH), BASE64)
    if data[first - 1 if first > 0 else 0] == _COLON and data.endswith((b"h1", b"sha256", b"sha512"), 0, first - 1):
        return True  # a checksum whose base64 has slashes
    before = data[start - 1] if start > 0 else _NEWLINE
    if before == _LESS and data.find(b"@", start, start + REACH) > 0:
        return True
    if before == _COMMA and data.endswith(b"base64", 0, start - 1):
        return data[max(0, start - REACH) : start].rfind(b"data:") >= 0 and any(
            data.rfind(media, max(0, start - REACH), start) >= 0 for media in _MEDIA
        )
    return False
