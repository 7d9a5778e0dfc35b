"""Read YAML text as data: no tags that build objects, no nesting that ends the process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from .plain import check_size

__all__ = ["load_yaml", "read_mapping"]

# the one in C is ten times as fast, where PyYAML was built with it
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LARGEST = 2**24  # bytes; the longest of our own files has some 30 kB
_LONGEST = 200  # characters of a reason in a message
_DEEPEST = 100  # levels; the loader calls itself for each of them


def load_yaml(text: str) -> Any:
    """Return the content of YAML or JSON text.

    Args:
        text: nothing in it is executed. Parts that it names and repeats are one object.

    Raises:
        ValueError: for text that is not YAML, that names types beyond plain data, or that is nested deeper than 100 levels.

    Example:
        >>> load_yaml("size: [96, 96]")
        {'size': [96, 96]}
    """
    try:
        _check_depth(text)
        return yaml.load(text, _LOADER)
    except yaml.MarkedYAMLError as error:
        place = "" if error.problem_mark is None else f"line {error.problem_mark.line + 1}: "
        raise ValueError(f"{place}{error.problem or error.context}") from None
    # of PyYAML, and of the types that it builds: dates, whole numbers, bytes
    except (yaml.YAMLError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(" ".join(str(error).split())) from None


def read_mapping(file: Path, expected: str = "names and values", place: str = "") -> dict[Any, Any]:
    """Return the names and values of a YAML or JSON file, as text that nothing has evaluated.

    Args:
        file: its path.
        expected: what the file should hold, for messages.
        place: stands before the reason in messages; empty: the path.

    Raises:
        ValueError: for a file that is too large, that is not YAML, or that holds something else.
    """
    place = place or str(file)
    if (size := file.stat().st_size) > _LARGEST:
        raise ValueError(f"{place}: found {size} bytes, expected {expected}")
    try:
        content = load_yaml(file.read_text(encoding="utf-8"))
    except ValueError as error:  # of the text's encoding too
        raise ValueError(f"{place}: not YAML ({str(error)[:_LONGEST]}), expected {expected}") from None
    check_size(content, place)
    if not isinstance(content, dict):
        kind = "no content" if content is None else type(content).__name__
        raise ValueError(f"{place}: found {kind}, expected {expected}")
    return content


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, _LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise ValueError(f"found more than {_DEEPEST} levels of nesting")
