"""Draw which maps of teacher and student a method compares, as an SVG inside the page: it takes the page's colours."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence

__all__ = ["draw_taps"]

# Okabe and Ito, without yellow: it is not seen on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_LEVELS = ("1", "1/2", "1/4", "1/8", "1/16")
_BOXES = [f"encoder.{i}" for i in range(5)] + [f"decoder.{i}" for i in range(4)] + ["logits"]
_TEXTS = [*_LEVELS, *_LEVELS[3::-1], "out"]
_WIDTH, _STEP, _BOX = 440, 43, 34
_TOP, _BOTTOM, _HEIGHT = 26, 132, 24


def boxes_of(tap: str) -> list[str]:
    """Return the boxes that a tap names, in a network whose five encoder stages have strides 1 to 16.

    Example:
        >>> boxes_of("encoder/4"), boxes_of("penultimate"), boxes_of("bottleneck")
        (['encoder.2'], ['decoder.3'], ['encoder.4'])
    """
    tap = tap.strip()
    if tap == "maps":  # the auxiliary logits of a UNet++ stand at the finest level
        return ["decoder.3"]
    if tap == "bottleneck":
        return ["encoder.4"]
    if tap.startswith("penultimate"):
        return ["decoder.3"]
    match = re.fullmatch(r"(encoder|decoder)/(\d+)", tap)
    if match:
        level = int(match[2]).bit_length() - 1
        return [f"encoder.{level}" if match[1] == "encoder" or level == 4 else f"decoder.{3 - level}"]
    if tap not in _BOXES:
        raise ValueError(f"tap: found {tap!r}, expected one of {', '.join(_BOXES)}")
    return [tap]


def draw_taps(terms: Mapping[str, Sequence[str]]) -> str:
    """Return an SVG of two networks and one line for each pair of maps.

    Args:
        terms: name of a term -> its taps, each ``a`` or ``student's -> teacher's``.
    """
    legend = _BOTTOM + _HEIGHT + 26
    parts = [_network("teacher", _TOP), _network("student", _BOTTOM)]
    for number, (name, taps) in enumerate(terms.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        shift = (number - (len(terms) - 1) / 2) * 5
        parts += [_line(tap, colour, shift) for tap in _pairs(taps)]
        x, y = 8 + number % 4 * 106, legend + number // 4 * 18
        parts.append(f'<line x1="{x}" y1="{y - 4}" x2="{x + 16}" y2="{y - 4}" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<text x="{x + 21}" y="{y}" fill="currentColor">{html.escape(name)}</text>')
    height = legend + 6 + (max(len(terms), 1) - 1) // 4 * 18
    label = "Maps that are compared: " + "; ".join(f"{name}: {', '.join(taps)}" for name, taps in terms.items())
    return (
        f'<svg class="taps" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{html.escape(label)}" '
        f'font-size="11" font-family="sans-serif">{"".join(parts)}</svg>'
    )


def _pairs(taps: Sequence[str]) -> list[str]:
    return [f"encoder.{i}" for i in range(5)] if list(taps) == ["equal"] else list(taps)


def _centre(box: str) -> float:
    return 8 + _BOXES.index(box) * _STEP + _BOX / 2


def _line(tap: str, colour: str, shift: float) -> str:
    student, _, teacher = tap.partition("->")
    (low,), (high,) = boxes_of(student), boxes_of(teacher or student)
    return (
        f'<line x1="{_centre(high) + shift}" y1="{_TOP + _HEIGHT}" x2="{_centre(low) + shift}" y2="{_BOTTOM}" '
        f'stroke="{colour}" stroke-width="2"/>'
    )


def _network(name: str, y: int) -> str:
    text_y = y - 8 if name == "teacher" else y + _HEIGHT + 13
    parts = [f'<text x="8" y="{text_y}" fill="currentColor">{name}: encoder</text>']
    parts.append(f'<text x="{8 + 5 * _STEP}" y="{text_y}" fill="currentColor">decoder</text>')
    for box, text in zip(_BOXES, _TEXTS, strict=True):
        x = _centre(box)
        parts.append(
            f'<rect x="{x - _BOX / 2}" y="{y}" width="{_BOX}" height="{_HEIGHT}" rx="3" fill="none" stroke="currentColor"/>'
            f'<text x="{x}" y="{y + 16}" text-anchor="middle" fill="currentColor">{text}</text>'
        )
    return "".join(parts)
