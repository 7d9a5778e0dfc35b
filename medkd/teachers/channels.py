"""The channels of the task's images that an external teacher takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["choose_channels", "names_in_order"]


def names_in_order(described: Any) -> tuple[str, ...]:
    """Return the names of channels that a file describes by their numbers; none where it does not.

    Example:
        >>> names_in_order({"1": "t2", "0": "t1"}), names_in_order(["t1"])
        (('t1', 't2'), ())
    """
    numbers = [str(number) for number in range(len(described))] if isinstance(described, dict) else []
    if not numbers or sorted(described) != sorted(numbers):
        return ()
    return tuple(str(described[number]) for number in numbers)


def choose_channels(
    option: str | int | Sequence[str | int] | None,
    ours: Sequence[str],
    theirs: Sequence[str],
    source: str,
    count: int | None,
) -> list[int] | None:
    """Return for each channel of a teacher's image the number of the task's channel; None: all in their order.

    Args:
        option: ``--teacher_channels``: names or numbers of the task's channels; also one text with commas.
        ours: names of the task's channels; capitals do not matter.
        theirs: names of the teacher's channels, empty if its files state none. They decide where there is no option.
        source: name of the teacher, for messages.
        count: number of the teacher's channels; None if it is not known.

    Raises:
        ValueError: for a name or number that the task does not have, and another number of channels than the teacher has.

    Example:
        >>> choose_channels(["t2", 0], ["t1", "t2"], [], "teacher", 2)
        [1, 0]
        >>> choose_channels("t1", ["t1", "t2"], [], "teacher", 1)
        [0]
    """
    numbers = {name.lower(): number for number, name in enumerate(ours)}
    if isinstance(option, str):
        option = [name.strip() for name in option.split(",")]
    elif isinstance(option, int):
        option = [option]
    if option is None:
        chosen = [numbers[name.lower()] for name in theirs if name.lower() in numbers]
        is_known = len(theirs) == len(chosen) == len(set(chosen)) > 0
        chosen = chosen if is_known else list(range(len(ours)))
        if theirs and len(ours) > 1:
            order = ", ".join(ours[number] for number in chosen)
            known = "by name" if is_known else f"are called {', '.join(theirs)}, and get in their order"
            print(f"note: {source}: channels {known}: {order}", flush=True)
    else:
        chosen = [_number(entry, numbers, option, ours) for entry in option]
    is_told = option is not None or len(ours) > 1  # a network may repeat a single channel by itself
    if is_told and count is not None and count != len(chosen):
        found = f"--teacher_channels: found {list(option)}" if option is not None else f"found {', '.join(ours)}"
        advice = "" if option is not None else ": give --teacher_channels, a name of ours for each"
        raise ValueError(f"--teacher {source}: {found}, expected {count} channels{advice}")
    return None if chosen == list(range(len(ours))) else chosen


def _number(entry: str | int, numbers: dict[str, int], option: Sequence[str | int], ours: Sequence[str]) -> int:
    if str(entry).lower() in numbers:
        return numbers[str(entry).lower()]
    if isinstance(entry, int) and not isinstance(entry, bool) and 0 <= entry < len(ours):
        return entry
    raise ValueError(
        f"--teacher_channels: found {list(option)}, expected names or numbers of the channels {', '.join(ours)}"
    )
