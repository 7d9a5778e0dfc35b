"""SIGTERM, which schedulers of clusters send before they kill: it ends a run as an error does, in one line."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["EXIT_CODE", "Terminated", "catch_sigterm", "raise_on_sigterm"]

EXIT_CODE = 128 + signal.SIGTERM  # as a shell reports it


class Terminated(BaseException):
    """SIGTERM arrived. Its text says how to continue the run.

    It is no Exception, because code that continues after a failure must not continue after SIGTERM.
    """

    def __str__(self) -> str:
        hint = super().__str__() or "a training that has begun goes on with --resume True"
        return f"stopped by SIGTERM: {hint}"


def catch_sigterm() -> None:
    """Raise `Terminated` on SIGTERM from now on, unless something else handles it: temporary files are removed then."""
    if _is_main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _handler(Terminated))


@contextmanager
def raise_on_sigterm(make_error: Callable[[], BaseException] | None = None) -> Iterator[None]:
    """Raise an error on SIGTERM within the context.

    Args:
        make_error: returns the error, and takes precedence over another handler; None raises `Terminated`, see
            `catch_sigterm`.
    """
    before = signal.getsignal(signal.SIGTERM)
    if make_error is None:
        catch_sigterm()
    elif _is_main_thread():
        signal.signal(signal.SIGTERM, _handler(make_error))
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) != before:
            signal.signal(signal.SIGTERM, before)


def _handler(make_error: Callable[[], BaseException]) -> Callable[[int, FrameType | None], None]:
    process = os.getpid()

    def raise_error(number: int, frame: FrameType | None) -> None:
        if os.getpid() == process:
            raise make_error()
        # A data loader's worker inherited this handler.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)

    return raise_error


def _is_main_thread() -> bool:
    """Return whether this thread may set handlers."""
    return threading.current_thread() is threading.main_thread()
