"""The file worker: resolves paths below one target root, in a process that may be killed when a file system hangs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Never

from leadglass_agent.processes.forked import become_own_process
from leadglass_agent.processes.frames import ChannelError, FrameBuffer, frame
from leadglass_agent.processes.guard import guarded
from leadglass_agent.processes.messages import (
    AccessAnswer,
    AccessRequest,
    AgentAnswer,
    Answer,
    DirectoryAnswer,
    DirectoryRequest,
    FileRequest,
    FilesAnswer,
    FilesRequest,
    TextAnswer,
    TextRequest,
    decode_request,
    encode_answer,
)
from leadglass_agent.sandbox.confine import confine_file_worker
from leadglass_agent.sandbox.floor import require
from leadglass_agent.sandbox.own_posture import OwnPosture
from leadglass_agent.sandbox.posture import Role, Standing, open_status
from leadglass_agent.start import StartRefused
from leadglass_agent.views.access.answer import Asked, explain_access, unanswered
from leadglass_agent.views.files import ListingMemory, list_directory, stat_files
from leadglass_agent.views.open_texts import OpenTexts, no_text
from leadglass_agent.views.rows import TextEnd, Unavailable

if TYPE_CHECKING:
    import socket

    from leadglass_agent.redaction.redactor import Redactor
    from leadglass_agent.sandbox.posture import SandboxLevel
    from leadglass_agent.views.access.answer import AccessRow
    from leadglass_agent.views.paths import TargetRoot
    from leadglass_agent.views.redactors import Redactors

_READ = 64 * 1024
READY = 0  # the number of the first answer, which no request has: the worker's posture


def run(
    connection: socket.socket, root: TargetRoot, redactors: Redactors, *, one_way_glass: bool, floor: SandboxLevel
) -> Never:
    """Answers file requests until the channel ends; never returns, since it runs in a forked copy of the supervisor."""
    status = 1
    try:
        become_own_process(connection.fileno(), root.fd)
        with open_status() as opened:
            reached = confine_file_worker(root.fd)
            require(reached, Role.FILE_WORKER, floor)
            standing = Standing(Role.FILE_WORKER, one_way_glass, reached.level, reached.landlock_abi)
            _send(
                connection,
                READY,
                AgentAnswer(redactors.balanced.rule_count, (OwnPosture(standing).tried(opened),)),
            )
        buffer, views = FrameBuffer(), _Views(root, redactors, ListingMemory(), OpenTexts(root, redactors))
        while data := connection.recv(_READ):
            for payload in buffer.feed(data):
                request = _file_request(payload)
                _send(connection, request.id, guarded(partial(_answer, request, views)))
        status = 0
    except (ChannelError, OSError, StartRefused):
        pass  # the reader is gone or broke the framing, or the sandbox is not what was asked for
    finally:
        # Not sys.exit: the copy must not run the reader's own clean-up.
        os._exit(status)


def _file_request(payload: bytes) -> FileRequest:
    request = decode_request(payload)
    if not isinstance(request, FilesRequest | DirectoryRequest | TextRequest | AccessRequest):
        detail = "a file worker was asked for something else than files"
        raise ChannelError(detail)
    return request


@dataclass(frozen=True, slots=True)
class _Views:
    """What the worker answers with, and what it remembers between requests."""

    root: TargetRoot
    redactors: Redactors
    listings: ListingMemory
    texts: OpenTexts


def _answer(request: FileRequest, views: _Views) -> Answer:
    root, names = views.root, views.redactors.balanced
    match request:
        case FilesRequest():
            rows = stat_files(root, names, request.scope, request.paths, follow_symlinks=request.follow_symlinks)
            return FilesAnswer(rows)
        case TextRequest(close=True):
            views.texts.close(request.stream)
            return TextAnswer(no_text(TextEnd.INTERRUPTED))
        case TextRequest():
            return TextAnswer(views.texts.page(request.id, request.stream, request.scope, request.query))
        case AccessRequest():
            return AccessAnswer(_access(request, root, names))
        case DirectoryRequest():
            page = list_directory(
                root,
                names,
                request.scope_list,
                request.scope_metadata,
                request.path,
                request.after_index,
                request.limit,
                memory=views.listings,
            )
            return DirectoryAnswer(page)


def _access(request: AccessRequest, root: TargetRoot, names: Redactor) -> AccessRow:
    if request.who is None or request.own is None or request.settings is None:
        return unanswered(Unavailable.KERNEL_REFUSED)
    asked = Asked(request.path, request.operation, request.who, request.own, request.settings)
    return explain_access(root, names, request.scope, request.scope_metadata, asked)


def _send(connection: socket.socket, number: int, answer: Answer) -> None:
    for payload in encode_answer(number, answer):
        connection.sendall(frame(payload))
