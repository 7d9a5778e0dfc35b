"""Ids of a configuration, as MONAI's ``ConfigParser`` names them, and the values that only it can evaluate."""

from __future__ import annotations

from typing import Any

__all__ = ["get_nested", "is_expression"]


def get_nested(config: Any, name: str) -> Any:
    """Return the value of an id such as ``a::b``; None if there is no such id.

    Example:
        >>> get_nested({"train": {"batch_size": 8}}, "train::batch_size")
        8
    """
    for key in name.split("::"):
        config = config.get(key) if isinstance(config, dict) else None
    return config


def is_expression(value: Any) -> bool:
    """Return whether a value is an expression, a reference or a macro, which only the parser can evaluate.

    Example:
        >>> is_expression("$len(@classes)"), is_expression("kits19")
        (True, False)
    """
    return isinstance(value, str) and value.startswith(("$", "@", "%"))
