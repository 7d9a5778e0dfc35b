"""Checks of the numbers that a user gives to a preparation."""

from __future__ import annotations

import math
from collections.abc import Sequence

from medkd.runs.errors import UsageError

__all__ = ["check_numbers"]


def check_numbers(name: str, value: Sequence[float] | None, count: int) -> list[float] | None:
    """Return the numbers of ``--window`` or ``--spacing`` as a list, after the check; None stays None.

    Raises:
        ValueError: another count, no finite numbers, a window whose first number is not the lower, a spacing below 0.
    """
    if value is None:
        return None
    numbers = list(value) if isinstance(value, list | tuple) else [value]
    finite = [number for number in numbers if isinstance(number, int | float) and math.isfinite(number)]
    if len(finite) == len(numbers) == count:
        if (name == "window" and finite[0] < finite[1]) or (name == "spacing" and min(finite) > 0):
            return finite
    expected = "two numbers, the lower first" if name == "window" else "three lengths in mm: slice, row, column"
    raise UsageError(f"--{name}: found {' '.join(map(str, numbers))}, expected {expected}")
