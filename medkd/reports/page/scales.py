"""Axes of the plots: values to pixels, and where the ticks are."""

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
    """An axis that holds the values, its ends at ticks; of one value it is widened around it, but not beyond ``within``."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    if within is not None:
        low, high = max(low, within[0]), min(high, within[1])
    places = [float(place) for place in MaxNLocator(count, integer=whole).tick_values(low, high)]
    bare = Scale(places[0], places[-1], begin, end, [])
    digits = next((n for n in range(6) if all(abs(round(place, n) - place) < 1e-9 for place in places)), 6)
    return Scale(places[0], places[-1], begin, end, [(bare(place), f"{place:.{digits}f}") for place in places])
