"""Axes that random flips may reverse: whether classes are told apart by where they lie, measured and read from names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ._side_names import opposite_axes, sides_of

__all__ = ["PICTURE_SIDES", "VOLUME_SIDES", "Position", "measure_positions", "propose_flip_axes"]

APART = 0.25  # distance of two centroids, in mean extents of both classes, from which one lies on a side of the other
NEARLY_ALL = 0.9  # of the cases that hold both classes
FEWEST = 5  # cases with both classes: with fewer, names alone decide
# axis -> where the lower and the higher indices lie
VOLUME_SIDES = {"slices": ("above", "below"), "rows": ("in front of", "behind"), "columns": ("right of", "left of")}
PICTURE_SIDES = {"rows": ("above", "below"), "columns": ("left of", "right of")}
# A picture has no axis of the body that is known; in names, left and right are those of the picture or of the patient.
_NAMED_AXES = {"slices": "rows", "columns": "columns"}


class Position(NamedTuple):
    """Where a class lies in one case, in voxels on each axis.

    Attributes:
        centre: centroid.
        extent: length of a uniform block with the same standard deviation; single stray voxels hardly change it.
    """

    centre: tuple[float, ...]
    extent: tuple[float, ...]


class _Pair(NamedTuple):
    """On which side of the second class the first lies, on one axis: counts of cases."""

    first: str
    second: str
    lower: int
    higher: int
    cases: int


def measure_positions(label: np.ndarray) -> dict[int, Position]:
    """Return label value -> position, of the values above 0 in a label map.

    Args:
        label: whole numbers from 0 on, with any number of axes.

    Example:
        >>> measure_positions(np.array([[0, 1, 1, 1], [0, 0, 0, 2]]))[1]
        Position(centre=(0.0, 2.0), extent=(1.0, 3.0))
    """
    positions = {}
    for value, box in enumerate(ndimage.find_objects(label), 1):
        if box is None:
            continue
        mask = label[box] == value
        centre, extent = [], []
        for axis, edges in enumerate(box):
            counts = mask.sum(axis=tuple(other for other in range(label.ndim) if other != axis))
            indices = np.arange(edges.start, edges.stop)
            mean = np.average(indices, weights=counts)
            variance = np.average((indices - mean) ** 2, weights=counts)
            centre.append(float(mean))
            extent.append(float(np.sqrt(12 * variance + 1)))
        positions[value] = Position(tuple(centre), tuple(extent))
    return positions


def propose_flip_axes(
    cases: Sequence[Mapping[int, Position]], names: Mapping[int, str], sides: Mapping[str, tuple[str, str]]
) -> tuple[list[str], list[str]]:
    """Propose the axes that may be flipped in training.

    An axis must keep its direction if one class lies on the same side of another in nearly all training cases: the distance
    of the centroids is at least a quarter of the mean extent, in 90 % of at least five cases with both. Names that differ in
    a side alone (left and right, upper and lower, anterior and posterior) also fix an axis. A single class fixes none.

    Args:
        cases: positions in each training case, see `measure_positions`.
        names: label value -> name of the class.
        sides: `VOLUME_SIDES` or `PICTURE_SIDES`; their keys are the axes of the label maps.

    Returns:
        The axes that may be flipped, and lines on why for the report.
    """
    reasons: dict[str, list[str]] = {axis: [] for axis in sides}
    notes = []
    for (value, name), (other, other_name) in combinations(names.items(), 2):
        named = _named_axes(name, other_name, sides)
        for number, axis in enumerate(sides):
            pair = _compare(cases, value, other, number, name, other_name)
            if max(pair.lower, pair.higher) >= NEARLY_ALL * pair.cases and pair.cases >= FEWEST:
                reasons[axis].append(_sentence(pair, sides[axis]))
            elif axis in named:
                reasons[axis].append(f"the names {name} and {other_name}")
            if axis in named and (note := _contradiction(pair, named[axis], sides, axis)):
                notes.append(note)
    free = [axis for axis in sides if not reasons[axis]]
    chosen = "all axes" if len(free) == len(sides) else " and ".join(free) or "no axis"
    line = f"flips: {chosen} may be flipped in training"
    lines = [f"{axis} not: {texts[0]}{_more(texts)}" for axis, texts in reasons.items() if texts]
    if not lines:
        lines = [
            "one class" if len(names) == 1 else "no class lies on one side of another in nearly all training cases"
        ]
    return free, [f"{line}; {'; '.join(lines)} (--flip_axes)", *notes, *_lone_sides(names)]


def _named_axes(first: str, second: str, sides: Mapping[str, tuple[str, str]]) -> dict[str, int]:
    axes = opposite_axes(first, second)
    if "slices" in sides:
        return dict(axes)
    return {_NAMED_AXES[axis]: side for axis, side in axes.items() if axis in _NAMED_AXES}


def _compare(
    cases: Sequence[Mapping[int, Position]], value: int, other: int, axis: int, name: str, other_name: str
) -> _Pair:
    both = [(case[value], case[other]) for case in cases if value in case and other in case]
    distances = [
        2 * (first.centre[axis] - second.centre[axis]) / (first.extent[axis] + second.extent[axis])
        for first, second in both
    ]
    lower, higher = sum(value <= -APART for value in distances), sum(value >= APART for value in distances)
    return _Pair(name, other_name, lower, higher, len(both))


def _sentence(pair: _Pair, words: tuple[str, str]) -> str:
    count, word = max((pair.lower, words[0]), (pair.higher, words[1]), key=lambda item: item[0])
    return f"{pair.first} lies {word} {pair.second} in {count} of {pair.cases} training cases"


def _contradiction(pair: _Pair, side: int, sides: Mapping[str, tuple[str, str]], axis: str) -> str:
    """Return a line if classes do not lie as their names say; the axes of a picture are not those of the body."""
    agreeing = {-1: pair.lower, 1: pair.higher}[side]
    if "slices" not in sides or pair.cases < FEWEST or agreeing >= NEARLY_ALL * pair.cases:
        return ""
    word = sides[axis][0 if side < 0 else 1]
    return (
        f"look: {pair.first} lies {word} {pair.second} in {agreeing} of {pair.cases} training cases alone: are labels "
        "exchanged, or is the orientation in the files wrong?"
    )


def _lone_sides(names: Mapping[int, str]) -> list[str]:
    """Return lines on classes that name a side and have no counterpart: the other side may be background."""
    lines = []
    for name in names.values():
        is_named = any(word in name.lower() for word in ("left", "right")) and "columns" in sides_of(name)[1]
        if is_named and not any("columns" in opposite_axes(name, other) for other in names.values()):
            lines.append(
                f"look: {name} has no counterpart among the classes: if images show that of the other side, leave columns "
                "out of --flip_axes"
            )
    return lines


def _more(texts: Sequence[str]) -> str:
    count = len(texts) - 1
    return f", and {count} more {'pair' if count == 1 else 'pairs'}" if count else ""
