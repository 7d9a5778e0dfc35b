"""The command that started a run in this process, for those who record or check it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Invocation", "command_words", "current_invocation", "invoked"]


@dataclass(frozen=True)
class Invocation:
    """A run of a bundle that was started from Python.

    Attributes:
        files: the configuration files, in the order in which they are merged.
        options: ids of the configuration and their values.
        words: the command line of MONAI that does the same.
        facts: what else its record says of how it came about, such as the search that chose its options.
    """

    files: tuple[str, ...]
    options: dict[str, Any]
    words: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


_current: ContextVar[Invocation | None] = ContextVar("invocation", default=None)


def current_invocation() -> Invocation | None:
    """Return the run that is under way in this context; None outside of `invoked`."""
    return _current.get()


def command_words() -> list[str]:
    """Return the command line of the run that is under way, or of this process."""
    invocation = _current.get()
    return list(sys.argv if invocation is None else invocation.words)


@contextmanager
def invoked(invocation: Invocation) -> Iterator[None]:
    """Make a run the current one."""
    token = _current.set(invocation)
    try:
        yield
    finally:
        _current.reset(token)
