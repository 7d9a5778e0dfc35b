"""Read YAML text as data: no tags that build objects, no nesting that ends the process."""

from __future__ import annotations

from typing import Any

import yaml

__all__ = ["load_yaml"]

# the one in C is ten times as fast, where PyYAML was built with it
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
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


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, _LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise ValueError(f"found more than {_DEEPEST} levels of nesting")
