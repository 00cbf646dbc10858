"""Reads and writes files that hold a request or a grant: one envelope each, which mail and tickets can carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.access.dsse import MAX_ENVELOPE, EnvelopeError, parse_envelope, write_envelope
from leadglass_agent.access.grant import GRANT_PAYLOAD
from leadglass_agent.access.grant_json import GrantError, parse_grant
from leadglass_client import private_files
from leadglass_client.errors import ExitCode, Failure

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_agent.access.dsse import Envelope
    from leadglass_agent.access.grant import Grant

_NEXT: Final = "take the file as it was sent; a request is made with: leadglass request"


@dataclass(frozen=True, slots=True)
class GrantFile:
    """What one file holds: the text as it stands there, its envelope, and the grant in it; nothing is verified yet."""

    path: Path
    text: str
    envelope: Envelope
    grant: Grant


def read_grant_file(path: Path) -> GrantFile:
    """Reads one file strictly; fails with what is wrong with it."""
    text = _text(path)
    try:
        envelope = parse_envelope(text)
        if envelope.payload_type != GRANT_PAYLOAD:
            what = f"{path} holds another kind of document than a grant"
            raise Failure(ExitCode.ERROR, what, _NEXT)
        return GrantFile(path, text, envelope, parse_grant(envelope.payload))
    except EnvelopeError as error:
        raise Failure(ExitCode.ERROR, f"{path} holds no grant: {error}", _NEXT) from error
    except GrantError as error:
        what = f"{path} holds a grant that no agent takes: {error}"
        raise Failure(ExitCode.ERROR, what, _NEXT) from error


def is_grant_file(path: Path) -> bool:
    """Says whether a file claims to hold a grant, whatever is wrong with it; what cannot be read does not."""
    try:
        return path.is_file() and parse_envelope(_text(path)).payload_type == GRANT_PAYLOAD
    except (EnvelopeError, Failure, OSError):
        return False


def create_grant_file(path: Path, envelope: Envelope) -> None:
    """Writes a new file that anybody may read: it holds no secret, and others have to sign it."""
    try:
        private_files.create(path, _content(envelope), private_files.PUBLIC)
    except Failure as failure:
        next_step = "name another file: --out FILE" if failure.code is ExitCode.USAGE else failure.next_step
        raise Failure(failure.code, failure.what, next_step) from failure


def replace_grant_file(old: GrantFile, envelope: Envelope) -> None:
    """Puts an envelope in the place of the one that was read; fails if the file has changed in between."""
    if _text(old.path) != old.text:
        what = f"{old.path} has changed meanwhile, and nothing was written"
        raise Failure(ExitCode.ERROR, what, "look at it again: leadglass grant inspect FILE")
    private_files.replace(old.path, _content(envelope), private_files.PUBLIC)


def _content(envelope: Envelope) -> bytes:
    content = f"{write_envelope(envelope)}\n".encode()
    if len(content) > MAX_ENVELOPE:
        what = f"the file would be larger than the {MAX_ENVELOPE // 1024} KiB that an agent takes"
        raise Failure(ExitCode.ERROR, what, "ask for less, or with fewer words")
    return content


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_ENVELOPE + 1)
    except OSError as error:
        code = ExitCode.NOT_FOUND if isinstance(error, FileNotFoundError) else ExitCode.ERROR
        raise Failure(code, f"cannot read {path}: {error.strerror}", "check the name") from error
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Failure(ExitCode.ERROR, f"{path} holds no grant: it is not text", _NEXT) from error
