"""Signals as values: which one, and who sent it."""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from leadglass_agent.processes.signals import Received, Signals, let_through
from leadglass_agent.sandbox.syscalls import NUMBERS, this_arch
from sample_processes import LIBC, answer_of

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = 20.0


def _received_from_a_shell(number: int) -> object:
    signals = Signals()
    shell = ("sh", "-c", f"kill -{number} $PPID; echo $$")
    sender = int(subprocess.run(shell, capture_output=True, check=True, timeout=_SECONDS).stdout)
    received = list[Received]()
    while not any(one.number == number for one in received):
        assert select.select((signals,), (), (), _SECONDS)[0]
        received += signals.take()
    (one,) = (one for one in received if one.number == number)
    return [one.by_pid == sender, one.is_of_runtime(0), one.is_of_runtime(sender)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1], ids=lambda n: n.name)
def test_a_signal_tells_who_sent_it(number: signal.Signals) -> None:
    assert answer_of(lambda: _received_from_a_shell(number)) == [True, False, True]


def test_who_started_the_program_and_who_is_outside_of_its_world_are_its_runtime() -> None:
    assert Received(15, os.getppid()).is_of_runtime(1)
    assert Received(15, 0).is_of_runtime(1)
    assert not Received(15, os.getpid()).is_of_runtime(1)


def _send_as(code: int) -> Callable[[int], None]:
    """Sends a signal in the name of process 0, which is the container's runtime; sigqueue(3) without its honesty."""

    def send(receiver: int) -> None:
        arch = this_arch()
        assert arch is not None
        info = struct.pack("=iii4xiI", signal.SIGTERM, 0, code, 0, 0).ljust(128, b"\0")
        call = ctypes.c_long(NUMBERS[arch]["rt_sigqueueinfo"])
        assert LIBC.syscall(call, ctypes.c_int(receiver), ctypes.c_int(signal.SIGTERM), info) == 0

    return send


def _send_by_a_pipe(receiver: int) -> None:
    """Has the kernel send a signal when a pipe can be read, without a sender: F_SETSIG of fcntl(2)."""
    ours, theirs = os.pipe()
    fcntl.fcntl(ours, fcntl.F_SETOWN, receiver)
    fcntl.fcntl(ours, 10, signal.SIGTERM)  # F_SETSIG, include/uapi/asm-generic/fcntl.h
    fcntl.fcntl(ours, fcntl.F_SETFL, os.O_ASYNC)
    os.write(theirs, b"x")


@pytest.mark.skipif(this_arch() is None, reason="the number of the call is not known here")
@pytest.mark.parametrize(
    "send",
    [_send_as(-1), _send_as(-2), _send_as(-5), _send_as(-60), _send_by_a_pipe],
    ids=["queue", "timer", "poll", "other", "pipe"],
)
def test_nobody_passes_for_the_container_s_runtime(send: Callable[[int], None]) -> None:
    """SI_QUEUE and its like carry a sender of the sender's choice, which used to be believed."""

    def received() -> object:
        signals = Signals()
        receiver = os.getpid()
        sender = os.fork()
        if sender == 0:
            send(receiver)
            os._exit(0)
        os.waitpid(sender, 0)
        while not (found := [one for one in signals.take() if one.number == signal.SIGTERM]):
            assert select.select((signals,), (), (), _SECONDS)[0]
        return [(one.by_pid, one.is_of_runtime(0)) for one in found]

    assert answer_of(received) == [[0, False]]


def test_a_terminal_s_stop_is_not_obeyed_and_taken_signals_can_be_let_through_again() -> None:
    def stopped() -> object:
        Signals()
        os.kill(os.getpid(), signal.SIGTSTP)
        caught = list[int]()
        signal.signal(signal.SIGUSR1, lambda number, _: caught.append(number))
        os.kill(os.getpid(), signal.SIGUSR1)
        before = list(caught)
        let_through()
        return [before, caught]

    assert answer_of(stopped) == [[], [signal.SIGUSR1]]


def test_without_a_signal_nothing_is_taken() -> None:
    assert answer_of(lambda: list(Signals().take())) == []
