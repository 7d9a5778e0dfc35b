"""A duration as a text."""

from __future__ import annotations

__all__ = ["format_duration"]


def format_duration(seconds: float) -> str:
    """Return a text such as ``45 s``, ``12 min 5 s`` or ``3 h 20 min``.

    Example:
        >>> format_duration(725)
        '12 min 5 s'
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
