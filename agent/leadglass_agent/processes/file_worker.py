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
from leadglass_agent.sandbox.posture import Role, read_posture
from leadglass_agent.views.files import ListingMemory, list_directory, stat_files
from leadglass_agent.views.open_texts import OpenTexts, no_text
from leadglass_agent.views.rows import TextEnd

if TYPE_CHECKING:
    import socket

    from leadglass_agent.views.paths import TargetRoot
    from leadglass_agent.views.redactors import Redactors

_READ = 64 * 1024
READY = 0  # the number of the first answer, which no request has: the worker's posture


def run(connection: socket.socket, root: TargetRoot, redactors: Redactors) -> Never:
    """Answers file requests until the channel ends; never returns, since it runs in a forked copy of the reader."""
    status = 1
    try:
        become_own_process(connection.fileno(), root.fd)
        _send(connection, READY, AgentAnswer(redactors.balanced.rule_count, (read_posture(Role.FILE_WORKER),)))
        buffer, views = FrameBuffer(), _Views(root, redactors, ListingMemory(), OpenTexts(root, redactors))
        while data := connection.recv(_READ):
            for payload in buffer.feed(data):
                request = _file_request(payload)
                _send(connection, request.id, guarded(partial(_answer, request, views)))
        status = 0
    except (ChannelError, OSError):
        pass  # the reader is gone or broke the framing: nothing is left to do here
    finally:
        # Not sys.exit: the copy must not run the reader's own clean-up.
        os._exit(status)


def _file_request(payload: bytes) -> FileRequest:
    request = decode_request(payload)
    if not isinstance(request, FilesRequest | DirectoryRequest | TextRequest):
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


def _send(connection: socket.socket, number: int, answer: Answer) -> None:
    for payload in encode_answer(number, answer):
        connection.sendall(frame(payload))
