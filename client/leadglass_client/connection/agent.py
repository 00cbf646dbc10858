"""Makes calls to one agent over mutual TLS, every one with a deadline and checked against the agent's workload name."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self, TypeVar

import grpc

from leadglass_client.connection.credentials import load_credentials
from leadglass_client.connection.diagnosis import diagnose
from leadglass_client.connection.end_warning import EndWarning
from leadglass_client.connection.receipts import Receipts, clock
from leadglass_client.connection.refusals import refusal_failure, status_failure
from leadglass_client.errors import ExitCode, Failure

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from types import TracebackType

    from leadglass_client.settings.target import Target

Request = TypeVar("Request")
Response = TypeVar("Response")

_SESSION_KEY = "leadglass-session"
_READING = "ReadLog"
# The largest honest page has 1,000 rows of at most a few KiB.
_MAX_REPLY_BYTES = 8 * 1024 * 1024


class Agent:
    """A connection to the agent of a target; the target's time is for all calls together."""

    def __init__(self, target: Target) -> None:
        credentials = load_credentials(target, datetime.now(UTC))
        self.target = target
        self._end = time.monotonic() + target.timeout_seconds
        self._warning = EndWarning()
        self._receipts = Receipts()
        self.channel = grpc.secure_channel(
            target.address,
            grpc.ssl_channel_credentials(credentials.authority, credentials.key, credentials.certificate),
            options=(
                # The workload's name is what the agent must prove, whatever address leads to it.
                ("grpc.ssl_target_name_override", target.server_name),
                ("grpc.max_receive_message_length", _MAX_REPLY_BYTES),
                # A proxy of the environment, or a configuration from DNS, has no say in where this goes.
                ("grpc.enable_http_proxy", 0),
                ("grpc.service_config_disable_resolution", 1),
            ),
        )

    def __enter__(self) -> Self:
        """Returns the agent itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the connection."""
        self.channel.close()

    def ask(self, method: grpc.UnaryUnaryMultiCallable[Request, Response], request: Request) -> Response:
        """Makes one call in what is left of the time, or fails with what happened and what to do."""
        began = clock()
        try:
            response, call = method.with_call(request, timeout=self._left(), metadata=self._metadata())
        except grpc.RpcError as error:
            self._take_receipt(error, request, began)
            raise self._failure(error) from error
        self._take_receipt(call, request, began)
        self._warning.heed(call.initial_metadata())
        return response

    def stream(self, method: grpc.UnaryStreamMultiCallable[Request, Response], request: Request) -> Iterator[Response]:
        """Makes one call and yields its messages as they come, or fails as `ask` does; leaving early ends the call."""
        began = clock()
        call = method(request, timeout=self._left(), metadata=self._metadata())
        timer: threading.Timer | None = None
        try:
            timer = self._warning.later(self._warning.heed(call.initial_metadata()))
            yield from call
            self._take_receipt(call, request, began)
        except grpc.RpcError as error:
            self._take_receipt(error, request, began)
            raise self._failure(error) from error
        finally:
            if timer is not None:
                timer.cancel()
            call.cancel()

    def _take_receipt(self, call: object, request: object, began: str) -> None:
        """Takes what the agent gives for a call that is over, whether it was answered or refused."""
        name = type(request).__name__.removesuffix("Request")
        # The record of a reading of the log lies behind what it read: with its receipt, no copy would ever be whole.
        if isinstance(call, grpc.Call) and name != _READING:
            self._receipts.take(call.trailing_metadata(), name, began)

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise self._late()
        return left

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return ((_SESSION_KEY, self.target.session_id),) if self.target.session_id else ()

    def _failure(self, error: object) -> Failure:
        refusal = refusal_failure(error)
        if refusal is not None:
            return refusal
        code = error.code() if isinstance(error, grpc.Call) else None
        if code is grpc.StatusCode.UNAVAILABLE:
            return diagnose(self.target)
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return self._late()
        return status_failure(error)

    def _late(self) -> Failure:
        what = f"no full answer from {self.target.address} within {self.target.timeout_seconds:g} s"
        next_step = "try again with a longer time: --timeout 60; or ask for less"
        return Failure(ExitCode.DEADLINE, what, next_step)
