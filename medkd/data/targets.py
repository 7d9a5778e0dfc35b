"""The classes of a task on data with an organ and a tumour (KiTS, LiTS)."""

from __future__ import annotations

__all__ = ["TARGETS", "class_names", "target_values"]

TARGETS = ("tumour", "organ", "both")


def target_values(target: str, organ: int = 1, tumour: int = 2) -> dict[int, int]:
    """Return raw label value -> class of a task on data with an organ and a tumour (KiTS, LiTS).

    Args:
        target: ``"tumour"``: the tumour is class 1, the organ background (the kidney tumour task of HLFD); ``"organ"``:
            organ with tumour is class 1; ``"both"``: organ 1, tumour 2.
        organ: label value of the organ.
        tumour: label value of the tumour.

    Raises:
        ValueError: for an unknown target.

    Example:
        >>> target_values("tumour")
        {0: 0, 1: 0, 2: 1}
    """
    if target not in TARGETS:
        raise ValueError(f"--target {target!r} is unknown, expected one of {', '.join(TARGETS)}")
    classes = {"tumour": (0, 1), "organ": (1, 1), "both": (1, 2)}[target]
    return {0: 0, organ: classes[0], tumour: classes[1]}


def class_names(target: str, organ: str = "organ") -> dict[int, str]:
    """Return class -> name of the foreground classes of a task; ``organ`` is the name of the organ."""
    values = target_values(target)
    return {1: "tumour"} if not values[1] else {1: organ} if values[1] == values[2] else {1: organ, 2: "tumour"}
