"""Colours of rows: fixed by the name of the method, the same on every page."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

__all__ = ["row_colours"]

# of the colours --m0 to --m7 of page.css, which are not those of classes: the ground truth has these
_NUMBERS = {"kd": 0, "hlfd": 1, "plckd": 2, "at": 3, "recommended": 4, "swap": 5, "pseudo": 6, "cwd": 7}
_COUNT = 8


def row_colours(methods: Mapping[str, str], teacher: str | None, baseline: str) -> dict[str, str]:
    """Return the CSS colour of each row. Teacher and student alone have neutral ones.

    Args:
        methods: row -> name of its method; an empty name where it is unknown.
        teacher: row of the teacher.
        baseline: row of the student alone.

    Example:
        >>> row_colours({"T": "teacher", "Mine": "kd"}, "T", "")
        {'T': 'var(--teacher)', 'Mine': 'var(--m0)'}
    """
    fixed = {teacher: "var(--teacher)", baseline: "var(--alone)"}
    return {row: fixed.get(row) or f"var(--m{_number(method or row)})" for row, method in methods.items()}


def _number(method: str) -> int:
    """Return the number of a method's colour; a method beyond the table has one by its name."""
    return _NUMBERS.get(method, zlib.crc32(method.encode()) % _COUNT)
