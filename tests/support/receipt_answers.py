"""Gives answers of a simulated agent with the receipts of a log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fake_agent import giving
from leadglass.v1.audit_pb2 import Receipt

if TYPE_CHECKING:
    import grpc
    from google.protobuf.message import Message

    from fake_agent import Answer
    from signed_logs import LogWriter

KEY = "leadglass-receipt-bin"


def receipt_of(writer: LogWriter) -> Receipt:
    """Gives the receipt of the log's last call as an agent sends it."""
    kept = json.loads(writer.receipts[-1].text)
    return Receipt(
        checkpoint=kept["checkpoint"],
        verifier_key=kept["key"],
        seq=kept["seq"],
        leaf_hash=bytes.fromhex(kept["leaf"]),
        hashes=[bytes.fromhex(one) for one in kept["hashes"]],
    )


def with_receipt(message: Message, receipt: Receipt | bytes, *, refusal: Answer | None = None) -> Answer:
    """Makes an answer, or a refusal, that carries the receipt."""
    data = receipt if isinstance(receipt, bytes) else receipt.SerializeToString()

    def answer(request: Message, context: grpc.ServicerContext) -> Message:
        context.set_trailing_metadata(((KEY, data),))
        if refusal is not None:
            return refusal(request, _Adding(context, data))  # type: ignore[arg-type] # has what a refusal uses
        return giving(message)(request, context)

    return answer


class _Adding:
    """A context whose trailing metadata keep the receipt when others are set."""

    def __init__(self, context: grpc.ServicerContext, data: bytes) -> None:
        self._context = context
        self._data = data

    def set_trailing_metadata(self, metadata: tuple[tuple[str, bytes], ...]) -> None:
        """Sets them beside the receipt."""
        self._context.set_trailing_metadata((*metadata, (KEY, self._data)))

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        """Ends the call."""
        self._context.abort(code, details)
