"""Sides in the names of classes: left and right, upper and lower, anterior and posterior, in several spellings."""

from __future__ import annotations

import re
from collections import Counter

__all__ = ["opposite_axes", "sides_of"]

# axis of stored volumes -> words of the side with lower indices, and of that with higher ones
_WORDS = {
    "slices": (
        ("upper", "superior", "sup", "cranial", "top"),
        ("lower", "inferior", "inf", "caudal", "bottom"),
    ),
    "rows": (("anterior", "ant", "ventral", "front"), ("posterior", "post", "dorsal", "back")),
    "columns": (("right", "rt", "rgt", "r", "dexter"), ("left", "lt", "lft", "l", "sinister")),
}
_SIDES = {
    word: (axis, sign)
    for axis, sides in _WORDS.items()
    for sign, words in zip((-1, 1), sides, strict=True)
    for word in words
}
_LONG = "|".join(word for word in _SIDES if len(word) > 5 or word in ("left", "right", "upper", "lower"))
_JOINED = re.compile(rf"(?P<before>.*?)(?P<side>{_LONG})(?P<after>.*)")  # leftlung, lungleft
# RightLung and kidneyL are two words, LV is one
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+|\d+")


def sides_of(name: str) -> tuple[tuple[str, ...], dict[str, int]]:
    """Split a name into what it names and the sides that it names.

    Args:
        name: name of a class.

    Returns:
        The other words, sorted, and axis -> -1 (upper, anterior, right) or 1 (lower, posterior, left).

    Example:
        >>> sides_of("kidney_left"), sides_of("R upper lobe")
        ((('kidney',), {'columns': 1}), (('lobe',), {'columns': -1, 'slices': -1}))
    """
    others: list[str] = []
    sides: dict[str, int] = {}
    for word in _WORD.findall(name):
        lower = word.lower()
        if lower in _SIDES:
            sides |= dict([_SIDES[lower]])
        elif joined := _JOINED.fullmatch(lower):
            sides |= dict([_SIDES[joined["side"]]])
            others.append(joined["before"] + joined["after"])
        else:
            others.append(lower)
    return tuple(sorted(others)), sides


def opposite_axes(first: str, second: str) -> dict[str, int]:
    """Return the axes on which two names name opposite sides of one thing, with the side of the first.

    Example:
        >>> opposite_axes("LeftLung", "lung, right"), opposite_axes("LV", "RV"), opposite_axes("left lung", "right kidney")
        ({'columns': 1}, {'columns': 1}, {})
    """
    (things, sides), (others, other_sides) = sides_of(first), sides_of(second)
    if things == others:
        return {axis: side for axis, side in sides.items() if other_sides.get(axis) == -side}
    if sides == other_sides:
        return _initials(list(Counter(things) - Counter(others)), list(Counter(others) - Counter(things)))
    return {}


def _initials(words: list[str], others: list[str]) -> dict[str, int]:
    """Read left and right from two words that differ in their first letter: LV and RV, lkidney and rkidney."""
    if len(words) == len(others) == 1 and words[0][1:] == others[0][1:]:
        return {("l", "r"): {"columns": 1}, ("r", "l"): {"columns": -1}}.get((words[0][0], others[0][0]), {})
    return {}
