"""Decides recorded answers about files and folders anew, path by path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass.v1.common_pb2 import UNAVAILABLE_REASON_NOT_FOUND, UNAVAILABLE_REASON_NOT_PERMITTED
from leadglass.v1.inspect_pb2 import (
    FileMetadata,
    ListDirectoryRequest,
    ListDirectoryResponse,
    StatFilesRequest,
    StatFilesResponse,
)
from leadglass_agent.errors import InvalidRequest
from leadglass_agent.policy.model import Permission
from leadglass_agent.recordings.format import RecordingError
from leadglass_agent.views.paths import parse_path
from leadglass_client.replay.admitting import sight
from leadglass_client.replay.changes import Anew, Change, Kind, Tally
from leadglass_client.replay.facts import raw_text
from leadglass_client.replay.gains import Asked, gain
from leadglass_client.views.policy_words import target_words

if TYPE_CHECKING:
    from leadglass_client.replay.admitting import KnownProcess, Sight
    from leadglass_client.replay.permitted import Permitted

_METADATA: Final = Permission.FILES_METADATA
_LIST: Final = Permission.FILES_LIST
_SOME: Final = 100  # examples of what is lost


def files_anew(
    request: StatFilesRequest,
    reply: StatFilesResponse,
    after: Permitted,
    before: Permitted | None,
    process: KnownProcess,
) -> Anew:
    """Gives the metadata that is still told; a path that is hidden looks like one that is not there."""
    tally = Tally()
    anew = StatFilesResponse()
    anew.CopyFrom(reply)
    shown = sight(after.scope, process)
    gained = missing_gain(_METADATA, after, before, process)
    for path, file in zip(request.paths, anew.files, strict=False):
        admitted = shown.path(policy_path(path))
        if file.unavailable == UNAVAILABLE_REASON_NOT_FOUND:
            if admitted is not False and gained:
                tally.add(Kind.MAY_SHOW, _METADATA, path, gained[0].note)
        elif admitted is None:
            tally.add(Kind.MAY_LOSE, _METADATA, path)
        elif not admitted:
            tally.add(Kind.LOST, _METADATA, path, path_hidden_by(shown, policy_path(path)))
            _make_missing(file)
    return Anew((anew,), changes=tally.changes())


def directory_anew(
    request: ListDirectoryRequest,
    reply: ListDirectoryResponse,
    after: Permitted,
    before: Permitted | None,
    process: KnownProcess,
) -> Anew:
    """Gives the entries that are still listed, with the metadata that is still told."""
    canonical = raw_text(reply.path)
    shown = sight(after.scope, process)
    admitted = both(shown, policy_path(request.path), canonical)
    if reply.unavailable:
        more = missing_gain(_LIST, after, before, process) if admitted is not False else ()
        is_missing = reply.unavailable == UNAVAILABLE_REASON_NOT_FOUND
        return Anew((reply if admitted is not False else _no_directory(request),), changes=more if is_missing else ())
    if admitted is False:
        names = tuple(entry.name.text for entry in reply.entries)
        note = path_hidden_by(shown, policy_path(request.path), canonical)
        change = Change(Kind.LOST, _LIST.value, len(names), names[:_SOME], note)
        return Anew((_no_directory(request),), changes=(change,))
    tally = Tally()
    if admitted is None:
        tally.add(Kind.MAY_LOSE, _LIST, request.path)
    metadata = sight(after.widened[_METADATA], process)
    anew = ListDirectoryResponse()
    anew.CopyFrom(reply)
    del anew.entries[:]
    for entry in reply.entries:
        name = raw_text(entry.name)
        path = None if name is None or canonical is None else f"{canonical.rstrip('/')}/{name}"
        listed = shown.path(path)
        if listed is False:
            tally.add(Kind.LOST, _LIST, entry.name.text, path_hidden_by(shown, path))
            continue
        if listed is None:
            tally.add(Kind.MAY_LOSE, _LIST, entry.name.text)
        kept = anew.entries.add()
        kept.CopyFrom(entry)
        _entry(kept, metadata.path(path), tally)
    was = None if before is None else (before.scope,)
    asked = Asked(_LIST, was, (after.scope,), process, below=canonical or "")
    return Anew((anew,), changes=(*tally.changes(), *gain(asked, target_words)))


def policy_path(path: str) -> str:
    """Writes a path that was asked for as policy sees it; raises RecordingError on one that no agent looks at."""
    try:
        return parse_path(path).decode("utf-8", "surrogateescape")
    except InvalidRequest:
        what = "a call was answered whose path no agent looks at"
        raise RecordingError(what) from None


def both(shown: Sight, requested: str, canonical: str | None) -> bool | None:
    """Says whether a path is admitted as it was asked for, and where it led; None if that is not known."""
    answers = {shown.path(requested), shown.path(canonical)}
    if False in answers:
        return False
    return None if None in answers else True


def path_hidden_by(shown: Sight, *paths: str | None) -> str:
    """Says what hides the first of the paths that is not admitted; "" if that is not known."""
    hidden = next((path for path in paths if path is not None and shown.path(path) is False), None)
    return "" if hidden is None else shown.hidden_by(lambda scope: scope.admits_path(hidden))


def missing_gain(
    what: Permission, after: Permitted, before: Permitted | None, process: KnownProcess
) -> tuple[Change, ...]:
    """Gives what may be shown in place of a path that looked as if it were not there.

    Where it leads is not known then, so that everything counts which is admitted now and was not.
    """
    return gain(Asked(what, None if before is None else (before.scope,), (after.scope,), process), target_words)


def _no_directory(request: ListDirectoryRequest) -> ListDirectoryResponse:
    reply = ListDirectoryResponse(unavailable=UNAVAILABLE_REASON_NOT_FOUND)
    reply.path.text = request.path
    return reply


def _entry(entry: FileMetadata, told: bool | None, tally: Tally) -> None:  # noqa: FBT001 - the answer of a scope
    if entry.unavailable == UNAVAILABLE_REASON_NOT_PERMITTED:
        if told is not False:
            tally.add(Kind.SHOWN if told else Kind.MAY_SHOW, _METADATA, entry.name.text)
    elif told is None:
        tally.add(Kind.MAY_LOSE, _METADATA, entry.name.text)
    elif not told:
        tally.add(Kind.MASKED, _METADATA, entry.name.text)
        _make_missing(entry, UNAVAILABLE_REASON_NOT_PERMITTED)


def _make_missing(file: FileMetadata, reason: int = UNAVAILABLE_REASON_NOT_FOUND) -> None:
    name = file.name
    missing = FileMetadata(name=name)
    missing.unavailable = reason  # type: ignore[assignment] # one of the enum's own numbers
    file.CopyFrom(missing)
