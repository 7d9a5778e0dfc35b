"""SIGTERM, which schedulers of clusters send before they kill: a run ends as by an error, with one line."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["EXIT_CODE", "Terminated", "catch_sigterm", "ended_by_sigterm"]

EXIT_CODE = 128 + signal.SIGTERM  # as a shell reports it


class Terminated(BaseException):
    """Not an Exception: nothing that goes on after a failure must go on after it. Its text says how to go on."""

    def __str__(self) -> str:
        advice = super().__str__() or "a training that has begun goes on with --resume True"
        return f"stopped by SIGTERM: {advice}"


def catch_sigterm() -> None:
    """From here on SIGTERM raises `Terminated`, unless something else handles it: temporary files are removed on its way."""
    owner = os.getpid()

    def stopped(number: int, frame: Any) -> None:
        if os.getpid() == owner:
            raise Terminated
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a worker of a data loader, which inherited this
        os.kill(os.getpid(), signal.SIGTERM)

    # handlers belong to the main thread alone
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, stopped)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """`catch_sigterm` within it alone."""
    before = signal.getsignal(signal.SIGTERM)
    catch_sigterm()
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) != before:
            signal.signal(signal.SIGTERM, before)
