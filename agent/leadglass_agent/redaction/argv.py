"""Spans secrets in an argument list: what an option, a position or a quoted script makes of an argument."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction import shell
from leadglass_agent.redaction.findings import RuleId, Span
from leadglass_agent.redaction.harmless import is_count, is_harmless, looks_like_token
from leadglass_agent.redaction.keynames import Form, SecretName, classify
from leadglass_agent.redaction.programs import PROGRAMS, SHELLS, Program, Shape
from leadglass_agent.redaction.vocabulary import VOCABULARY

if TYPE_CHECKING:
    from collections.abc import Sequence

_RANK: Final = 35
_ARGUMENT: Final = RuleId("argument-secret")
_UNREAD: Final = RuleId("unread-script")
# A longer script is masked behind this point: the splitter costs a step for each byte.
_MAX_SCRIPT: Final = 65_536
_MAX_DEPTH: Final = 3
_MAX_NAME: Final = 64
# `key=value`, `--key=value`, `-Dkey=value`; an npm key such as //host/:_authToken has slashes.
_PAIR: Final = re.compile(rb"(?:-{1,2}|-[DPXeE]|/)?([A-Za-z_/@][A-Za-z0-9_./:@\[\]-]{0,120})=", re.ASCII)
_OPTION: Final = re.compile(rb"-{1,2}([A-Za-z][A-Za-z0-9_.-]{2,60})", re.ASCII)
_SCRIPT_OPTION: Final = re.compile(rb"-[a-z]{0,6}c")
_FLAG: Final = re.compile(rb"-[A-Za-z]|--[A-Za-z][A-Za-z0-9-]*(?:=.*)?", re.DOTALL)
# `-u admin:s3cret` of any program; a number or a plain word behind the colon is a group (`--user www-data:www-data`).
_USER_OPTIONS: Final = frozenset({b"-u", b"-U", b"--user", b"--userpass", b"--auth", b"--credentials"})
_USER_PAIR: Final = re.compile(rb"[A-Za-z0-9._@+-]{1,64}:(?![0-9]+\Z|[a-z_-]+\Z)([^\0]{4,})")
_KEY_BREAK: Final = re.compile(rb"[/:@\[\]]+")
_SPACE: Final = re.compile(rb"[ \t\n]")


def spans(arguments: Sequence[bytes]) -> tuple[list[Span], ...]:
    """Spans the secrets of one argument list, argument by argument, positions within each argument."""
    return _command(arguments, depth=0)


def _command(words: Sequence[bytes], depth: int) -> tuple[list[Span], ...]:
    found: tuple[list[Span], ...] = tuple([] for _ in words)
    programs: list[Program] = []
    in_shell = False
    for index, word in enumerate(words):
        name = word[word.rfind(b"/") + 1 :] if len(word) <= _MAX_NAME and word[:1] != b"-" else b""
        if name in PROGRAMS and (not PROGRAMS[name].subcommand or PROGRAMS[name].subcommand in words[index:]):
            programs.append(PROGRAMS[name])
        in_shell = in_shell or name in SHELLS
        following = words[index + 1] if index + 1 < len(words) else None
        found[index].extend(_pair(word))
        attached: list[Span] = []
        if word[:1] in {b"-", b"/"}:
            attached = [span for program in programs[-2:] for span in _attached(word, program)]
            found[index].extend(attached)
        if word[:1] == b"-":
            # `-pS3cretPw` holds its own value: what follows is not one, however the secret ends.
            if following is not None and not attached:
                found[index + 1].extend(_option_value(word, following, programs))
        elif following is not None:
            found[index + 1].extend(_named_value(word, following))
        for program in programs[-2:]:
            offset = program.positions.get(word.lower() if word[:1] != b"-" else word, 0)
            if offset and index + offset < len(words):
                found[index + offset].extend(_whole(words[index + offset], _ARGUMENT))
        is_script = in_shell and index > 0 and _SCRIPT_OPTION.fullmatch(words[index - 1]) is not None
        if depth < _MAX_DEPTH and _SPACE.search(word) and (is_script or _names_program(word)):
            found[index].extend(_script(word, depth + 1))
    return found


def _names_program(word: bytes) -> bool:
    return any(part[part.rfind(b"/") + 1 :] in PROGRAMS for part in re.split(rb"[\s'\"();|&`]+", word[:_MAX_SCRIPT]))


def _script(script: bytes, depth: int) -> list[Span]:
    found: list[Span] = []
    if len(script) > _MAX_SCRIPT:
        found.append(Span(_MAX_SCRIPT, len(script), _RANK, _UNREAD))
        script = script[:_MAX_SCRIPT]
    for words in shell.split(script):
        for word, inner in zip(words, _command([word.text for word in words], depth), strict=True):
            found.extend(
                Span(word.positions[span.start], word.positions[span.end - 1] + 1, span.rank, span.rule_id)
                for span in inner
            )
    return found


def _pair(word: bytes) -> list[Span]:
    position = 0
    for _ in range(2):  # --set=db.password=…, --env=TOKEN=…
        pair = _PAIR.match(word, position)
        if pair is None:
            return []
        secret = classify(_KEY_BREAK.split(pair[1].rstrip(b"]"))[-1])
        if secret is not None:
            return _judged(word, pair.end(), secret)
        position = pair.end()
    return []


def _attached(word: bytes, program: Program) -> list[Span]:
    for option, shape in program.attached.items():
        if word.startswith(option) and len(word) > len(option):
            return _shaped(word, len(option), shape)
    return []


def _option_value(option: bytes, value: bytes, programs: Sequence[Program]) -> list[Span]:
    for program in programs[-2:]:
        shape = program.options.get(option)
        if shape is None and program.bundles and option[1:2] != b"-":
            shape = program.options.get(b"-" + option[-1:])
        if shape is not None:
            return _shaped(value, 0, shape)
    if option in _USER_OPTIONS and (pair := _USER_PAIR.fullmatch(value)) is not None:
        return _whole(value, _ARGUMENT, pair.start(1))
    name = _OPTION.fullmatch(option)
    if name is None or _FLAG.fullmatch(value) or name[1].partition(b"-")[0].lower().decode() in VOCABULARY.switches:
        return []
    secret = classify(name[1])
    return [] if secret is None else _judged(value, 0, secret)


def _named_value(name: bytes, value: bytes) -> list[Span]:
    """Spans `configure set aws_secret_access_key VALUE`: a name of two or more words and nothing else."""
    if (
        not name
        or len(name) > _MAX_NAME
        or not re.search(rb"[_.-]|[a-z][A-Z]", name)
        or not re.fullmatch(rb"[A-Za-z0-9_./:-]+", name)
    ):
        return []
    secret = classify(_KEY_BREAK.split(name)[-1])
    if secret is None or secret.form is not Form.VALUE or _FLAG.fullmatch(value) or not looks_like_token(value):
        return []
    return _judged(value, 0, secret)


def _shaped(value: bytes, start: int, shape: Shape) -> list[Span]:
    text = value[start:]
    if shape is Shape.PAIR and not re.search(rb"[:%,]", text) and not looks_like_token(text):
        return []
    if shape is Shape.COOKIE and b"=" not in text:
        return []
    return _whole(value, _ARGUMENT, start)


def _judged(value: bytes, start: int, secret: SecretName) -> list[Span]:
    text = value[start:]
    if secret.form in {Form.TOKEN, Form.QUERY} and not looks_like_token(text):
        return []
    if secret.rule_id == "token" and is_count(text):
        return []
    return _whole(value, secret.rule_id, start)


def _whole(value: bytes, rule_id: RuleId, start: int = 0) -> list[Span]:
    return [] if is_harmless(value[start:], quoted=True) else [Span(start, len(value), _RANK, rule_id)]
