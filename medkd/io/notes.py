"""Notes on what was guessed of a file: printed at once, or held back until it is the turn of the file's case."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["hold_notes", "print_note"]

_held: ContextVar[list[str] | None] = ContextVar("held", default=None)


def print_note(text: str) -> None:
    """Print ``note: <text>`` on stderr, or add the line to those that are held back in this thread."""
    lines = _held.get()
    if lines is None:
        print(f"note: {text}", file=sys.stderr, flush=True)
    else:
        lines.append(text)


@contextmanager
def hold_notes() -> Iterator[list[str]]:
    """Hold back the notes of this thread; the context's value is the list of their texts.

    Example:
        >>> with hold_notes() as notes:
        ...     print_note("a.nii.gz: its sform was taken")
        >>> notes
        ['a.nii.gz: its sform was taken']
    """
    notes: list[str] = []
    token = _held.set(notes)
    try:
        yield notes
    finally:
        _held.reset(token)
