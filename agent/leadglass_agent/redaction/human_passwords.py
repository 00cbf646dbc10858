"""Tells the passwords that people make from names of things, addresses and code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.run_counts import CLASS, IS_DIGIT, IS_LOWER, IS_SIGN, IS_UPPER, LETTER
from leadglass_agent.redaction.shapes import COUNTED, PASSWORD, PLAIN, WEAK
from leadglass_agent.redaction.tables import DIGIT, HEX, NAME, run_end, table

if TYPE_CHECKING:
    from leadglass_agent.redaction.run_counts import Counts

_AT: Final = 0x40
_DASH: Final = 0x2D
_DOT: Final = 0x2E
_SLASH: Final = 0x2F
_COLON: Final = 0x3A
_MIN_PASSWORD: Final = 6
_MAX_PASSWORD: Final = 64
_MIN_SIGNED: Final = 8
_MAX_NUMBER_IN_NAME: Final = 5
_MANY: Final = 3
# Words in front of a number that counts, versions or sizes them.
_TECHNICAL: Final = frozenset(
    b"sha md aes rsa dsa ecdsa utf base ed curve hs rs es ps x v http https tls ssl tlsv sslv ipv oauth eth ens"
    b" enp wlan node port tcp udp win amd intel arm aarch log log4j slf4j h2 s3 s ec p pkcs argon bcrypt jdk jre"
    b" java python py php perl ruby ssh int uint float double num ext sda tty pts pty cpu mem web db host worker"
    b" cache api edge vm hd nvme usb core mp mpeg h264 iso latin cp windows utf8 oct jan feb mar apr may jun jul"
    b" aug sep nov dec k8s i18n l10n step stage part item line page test user group server client pool thread exec"
    b" task job level layer version release build r c e f l m n t u w nat lo docker br veth tun tap bond gpu tpu q"
    b" block sector disk vol volume nic cn dn en an bn sn nvidia cuda gb mb kb ms us ns sec hz khz mhz ghz vs rc"
    b" beta alpha dev rel el fc deb ubuntu centos rhel debian kernel linux macos ios android safari chrome firefox"
    b" mozilla gecko applewebkit msie trident opera kw article chapter section figure table row col column arg"
    b" param var val sid pid uid gid tid cls id idx no nr number bit bits byte bytes char varchar nvarchar system"
    b" conn service nameservice fail text blob".split()
)

_NO_LETTERS: Final = bytes(0 if kind & LETTER else 1 for kind in CLASS)
_VERSION: Final = table(b"0123456789.^~*x-")
_CLASS_NAME: Final = bytes(1 if kind & LETTER or byte in b"._$" else 0 for byte, kind in enumerate(CLASS))


def human_shape(  # noqa: C901, PLR0911, PLR0912 - one row for each habit
    data: bytes, start: int, end: int, counts: Counts, before_at: int
) -> int:
    """Tells passwords that people make (needle291, camel_1987, Silver2008#) from names of things that are counted."""
    length = end - start
    letters = counts.lower + counts.upper
    if not _MIN_PASSWORD <= length <= _MAX_PASSWORD or letters < 2:  # noqa: PLR2004 - one letter is a unit
        return PLAIN
    if CLASS[data[start]] == IS_DIGIT and data.find(b"+", start, end) > 0 and counts.signs == 0:
        return PLAIN  # 15+248+deb12u1
    if counts.signs > 0:
        return _signed(data, start, end, counts, before_at)
    if counts.joiners > 1 or counts.lower == 0:
        return PLAIN
    position = start
    while position < end and CLASS[data[position]] & LETTER:
        position += 1
    ends_in_number = CLASS[data[end - 1]] == IS_DIGIT
    if counts.joiners == 1:
        # mirror.ember19 and camel_1987, but neither task_000012, web-1, app.js2 nor lib2.so.
        if not ends_in_number or counts.digit_runs > 1 or counts.digits > _MAX_NUMBER_IN_NAME or position == start:
            return PLAIN
        if counts.digits == 1 or data[position] == _DASH:
            return PLAIN
        if data[start:position].lower() in _TECHNICAL:
            return PLAIN
        return COUNTED if data[position] == _DOT else PASSWORD
    if counts.digit_runs == 1:
        if position == start and letters <= _MANY:
            return PLAIN  # 10000ms, 1st
        if not ends_in_number:
            return WEAK if counts.digits < 2 else COUNTED  # noqa: PLR2004 - courierpop3login
        if data[start:position].lower() in _TECHNICAL or counts.digits > _MAX_NUMBER_IN_NAME:
            return PLAIN
        if counts.digits == 1:
            return WEAK
        return PASSWORD if counts.upper > 0 else COUNTED
    if counts.best_is_hex:
        return PLAIN
    return PASSWORD if counts.upper > 0 or counts.digit_runs > 2 else COUNTED  # noqa: PLR2004 - b3rl1n365


def _signed(  # noqa: C901, PLR0911, PLR0912 - one row for each use of a sign
    data: bytes, start: int, end: int, counts: Counts, before_at: int
) -> int:
    """Tells the signs of a password from those of code, addresses and markup."""
    at = data.rfind(b"@", start, end)
    if at > start:
        if at < end - 1 and run_end(data, at + 1, end, _VERSION) == end and run_end(data, start, at, NAME) == at:
            return PLAIN  # package@^1.2
        if _is_domain(data, at + 1, end):
            return _before_domain(data, start, at, counts, before_at)
        if at < end - 1 and run_end(data, at + 1, end, HEX) == end and _is_object(data, start, at):
            return PLAIN  # Thing@1a2b3c, Outer$Inner@493, 9cdc1779@2016
        if data[start + 1] != _AT and run_end(data, start, at, _NO_LETTERS) == at:
            return PLAIN  # #74#@localhost
    if counts.digits == 0:
        if counts.signs == 1 and (data.find(b"#", start, end) > start or data.find(b"?", start, end) > start):
            return PLAIN  # a page's fragment
        if counts.signs == 1 and CLASS[data[end - 1]] == IS_SIGN:
            return PLAIN  # mismatch?
        if run_end(data, start, end, _CLASS_NAME) == end and (data.find(b".", start, end) > 0 or counts.lower == 0):
            return PLAIN
        if counts.changes * 4 >= counts.lower + counts.upper and counts.joiners > 0 and counts.lower > 0:
            return PASSWORD
        return PASSWORD if counts.signs > 1 and counts.lower > 0 and counts.upper > 1 and at != start else WEAK
    if at > start and counts.signs == 1:
        # bob@host7 and action/checkout@v4 against V@ll3y178.
        if _is_leet(data, start, end) or before_at >= COUNTED:
            return PASSWORD
        return WEAK
    if (
        counts.signs == 1
        and start > 0
        and data[start - 1] == _SLASH
        and data.find(b"?", start, end) + data.find(b"#", start, end) > 0
    ):
        return PLAIN  # a page's fragment or version
    if counts.signs == 1 and counts.joiners >= _MANY and CLASS[data[end - 1]] == IS_SIGN:
        return PLAIN  # archive-1.2-SNAPSHOT.jar!
    if data.find(b"$", start, end) > start:
        name = run_end(data, start, end, _CLASS_NAME)
        if run_end(data, name, end, DIGIT) == end and (
            data.find(b".", start, end) > 0 or data.find(b"$$", start, end) > 0
        ):
            return PLAIN  # package.Outer$Inner1
        if (
            name > data.find(b"$", start, end) + 1
            and CLASS[data[start]] == IS_UPPER
            and run_end(data, name, end, DIGIT) == end
        ):
            return WEAK  # Outer$Inner1
    return PASSWORD


def _before_domain(data: bytes, start: int, at: int, counts: Counts, shape: int) -> int:
    """Says what stands before the last @ of an address: a name, unless it has signs of its own or follows `user:`."""
    if shape < PASSWORD or data.find(b"@", start, at) > 0 or data.find(b"%40", start, at) > 0:
        return PLAIN
    return shape if counts.signs > 1 or (start > 0 and data[start - 1] == _COLON) else PLAIN


def _is_domain(data: bytes, start: int, end: int) -> bool:
    """Says whether a dotted name with letters at its end stands here."""
    dot = data.rfind(b".", start, end)
    return (
        start < dot < end - 2
        and run_end(data, dot + 1, end, _CLASS_NAME) == end
        and run_end(data, start, dot, NAME) == dot
    )


def _all_hex(data: bytes, start: int, end: int) -> bool:
    return run_end(data, start, end, HEX) == end


def _is_object(data: bytes, start: int, end: int) -> bool:
    return run_end(data, start, end, _CLASS_NAME) == end or run_end(data, start, end, HEX) == end


def _is_leet(data: bytes, start: int, end: int) -> bool:
    """Says whether a digit stands where a letter should: before another letter, behind one or a sign."""
    for position in range(start, end - 1):
        if CLASS[data[position]] == IS_DIGIT and CLASS[data[position + 1]] & (IS_LOWER | IS_SIGN):
            return True
    return False
