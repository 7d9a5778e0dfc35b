"""Axes of the plots: from values to pixels, and the ticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

__all__ = ["Scale", "scale"]


@dataclass(frozen=True)
class Scale:
    """A linear axis."""

    low: float
    high: float
    begin: float
    """Pixel of ``low``."""
    end: float
    ticks: list[tuple[float, str]]
    """Pixel and text."""

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        share = (value - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)


def scale(
    values: Sequence[float],
    begin: float,
    end: float,
    whole: bool = False,
    count: int = 5,
    within: tuple[float, float] | None = None,
) -> Scale:
    """Return an axis that holds all values and ends at ticks.

    Args:
        values: what is plotted. One value, or equal values, get a margin on both sides.
        begin: pixel of the lower end.
        end: pixel of the upper end.
        whole: whether ticks are whole numbers.
        count: number of intervals at most.
        within: limits that the axis does not exceed.
    """
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    if within is not None:
        low, high = max(low, within[0]), min(high, within[1])
    ticks = [float(tick) for tick in MaxNLocator(count, integer=whole).tick_values(low, high)]
    bare = Scale(ticks[0], ticks[-1], begin, end, [])
    digits = next((n for n in range(6) if all(abs(round(tick, n) - tick) < 1e-9 for tick in ticks)), 6)
    return Scale(ticks[0], ticks[-1], begin, end, [(bare(tick), f"{tick:.{digits}f}") for tick in ticks])
