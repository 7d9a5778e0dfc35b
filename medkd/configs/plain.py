"""Plain data: numbers, text, truth values, None, and lists and dictionaries of these, in which nothing is evaluated.

MONAI's parser evaluates text that begins with ``$``, follows references and macros (``@``, ``%``), and calls what a dictionary
names as ``_target_``. Options of the command line and records of runs are data: `as_literal` hands them to the parser as they
are, and `check_plain` refuses what was never data.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

__all__ = ["as_literal", "check_plain", "check_size", "is_plain"]

_MARKS = ("$", "@", "%")
# More than any record of a run has; the names that YAML gives to shared parts can stand for any number of values.
_MOST_VALUES = 100_000
_LONGEST = 60  # characters of a value in a message


def as_literal(value: Any) -> Any:
    r"""Return plain data in a form of which MONAI's parser makes the same data, whatever text is in it.

    Args:
        value: plain data; anything else in it is left as it is.

    Returns:
        The value itself where the parser takes it as it is, else an expression whose value it is.

    Example:
        >>> as_literal([96, 96]), as_literal("kd"), as_literal("$HOME/data")
        ([96, 96], 'kd', "$'$HOME/data'")
        >>> as_literal({1: "a@b"})
        "${1: 'a\\x40b'}"
    """
    if value is None or _is_inert(value):
        return value
    # inside an expression the parser replaces references, and reads # as ::
    return "$" + _source(value).replace("@", r"\x40").replace("#", r"\x23")


def check_plain(value: Any, name: str) -> None:
    """Check that a value of a file is plain data.

    Args:
        value: as YAML or JSON was read.
        name: file and key, for the message.

    Raises:
        ValueError: for text that MONAI would evaluate, a dictionary that names a component, a number that is not finite, and
            any other type.
    """
    check_size(value, name)
    for place, item in _leaves(value):
        if (isinstance(item, str) and item.startswith(_MARKS)) or not _is_plain_item(item):
            shown = repr(item)
            shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."
            raise ValueError(
                f"{name}{place}: found {shown}, expected plain data: finite numbers, text that does not begin "
                "with $, @ or %, lists and dictionaries of these (nothing of it was executed)"
            )


def is_plain(value: Any) -> bool:
    """Return whether a value is plain data.

    Example:
        >>> is_plain({"size": [96, 96]}), is_plain(["$1", 96]), is_plain({"_target_": "a.b"})
        (True, False, False)
    """
    try:
        check_plain(value, "")
    except ValueError:
        return False
    return True


def check_size(value: Any, name: str) -> None:
    """Check that a value of a file has no more parts than can be read.

    Raises:
        ValueError: for more values than any record has, as a few shared parts of a YAML file can stand for, or for a part that
            contains itself.
    """
    count, pending = 0, [value]
    while pending:
        item = pending.pop()
        count += 1
        if isinstance(item, dict):
            pending += item.values()
        elif isinstance(item, list | tuple):
            pending += item
        if count + len(pending) > _MOST_VALUES:
            raise ValueError(
                f"{name}: found more than {_MOST_VALUES} values (parts that are named and repeated count each time)"
            )


def _is_inert(value: Any) -> bool:
    """Return whether MONAI's parser takes a value as it is."""
    if isinstance(value, str):
        return not value.startswith(_MARKS) and "#" not in value
    if isinstance(value, dict):
        return all(isinstance(key, str) and key.isidentifier() and not _is_keyword(key) for key in value) and all(
            map(_is_inert, value.values())
        )
    return all(map(_is_inert, value)) if isinstance(value, list | tuple) else True


def _source(value: Any) -> str:
    """Return the Python expression of plain data."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_source(key)}: {_source(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_source, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    if value is None or isinstance(value, str | bool | int | float):
        return repr(value)
    raise TypeError(f"found {type(value).__name__}, expected plain data")


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield place and value of each number and text, and the dictionary in the place of a bad key."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str | int) or (
                isinstance(key, str) and (key.startswith(_MARKS) or _is_keyword(key))
            ):
                yield place, value
            else:
                yield from _leaves(item, f"{place}[{key!r}]")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{place}[{index}]")
    else:
        yield place, value


def _is_keyword(key: str) -> bool:
    """Return whether a key tells MONAI how to build a component: ``_target_``, ``_mode_``, ``_requires_``, ..."""
    return key.startswith("_") and key.endswith("_")


def _is_plain_item(item: Any) -> bool:
    return item is None or isinstance(item, str | bool | int) or (isinstance(item, float) and math.isfinite(item))
