"""Find the classes and functions of medkd that a configuration names, and name the bundle's copy in their place.

The configurations of inference name code of medkd by ``_target_`` alone. The imports of a configuration are executed before
anything else, when the folder of the bundle is not known yet. A ``_target_`` can wait for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .closure import PACKAGE

__all__ = ["SCRIPTS", "check_expressions", "foreign_imports", "reachable", "rewrite_targets", "target_names"]

SCRIPTS = "scripts"  # the id that makes the copy importable


def foreign_imports(config: dict[str, Any]) -> list[str]:
    """Return the import statements of a configuration that name nothing of medkd."""
    return [line for line in config.get("imports", []) if not re.search(rf"\b{PACKAGE}\b", line)]


def check_expressions(config: dict[str, Any]) -> None:
    """Check that no expression of a configuration uses an import of medkd, which a packed bundle does not have.

    Raises:
        ValueError: for the first such expression.

    Example:
        >>> check_expressions({"imports": ["$import medkd.io as io"], "data": "$io.read(@input)"})
        Traceback (most recent call last):
        ValueError: data: found '$io.read(@input)', expected `_target_: medkd.io...`: expressions cannot be packed
    """
    foreign = foreign_imports(config)
    for line in config.get("imports", []):
        if line in foreign:
            continue
        alias, module = line.split()[-1], line.split()[1]
        for name, value in config.items():
            for text in _texts(value) if name != "imports" else ():
                if text.startswith("$") and re.search(rf"(?<![\w.@:'\"]){re.escape(alias)}\.\w", text):
                    raise ValueError(
                        f"{name}: found {text!r}, expected `_target_: {module}...`: expressions cannot be packed"
                    )


def reachable(config: dict[str, Any], *ids: str) -> set[str]:
    """Return the top-level ids that some ids refer to, directly or not, with these ids themselves.

    Example:
        >>> sorted(reachable({"a": "@b", "b": "$@c::d + 1", "c": {"d": 2}, "e": "@a"}, "a"))
        ['a', 'b', 'c']
    """
    names: set[str] = set()
    pending = list(ids)
    while pending:
        name = pending.pop()
        if name in config and name not in names:
            names.add(name)
            texts = (text for text in _texts(config[name]) if text.startswith(("$", "@", "%")))
            pending += [reference for text in texts for reference in re.findall(r"[@%](\w+)", text)]
    return names


def target_names(value: Any) -> set[tuple[str, str]]:
    """Return module and name of each ``_target_`` in medkd.

    Example:
        >>> target_names([{"_target_": "medkd.networks.UNet", "norm": {"_target_": "monai.Norm"}}])
        {('medkd.networks', 'UNet')}
    """
    names = set().union(*map(target_names, _children(value)))
    if (target := _target(value)) is not None:
        module, _, name = target.rpartition(".")
        names.add((module, name))
    return names


def rewrite_targets(value: Any, package: str) -> Any:
    """Return a value of a configuration in which each ``_target_`` in medkd names the copy.

    Args:
        value: of one id, or a dictionary of several.
        package: name of the copy.

    Example:
        >>> rewrite_targets({"_target_": "medkd.networks.UNet"}, "copy")
        {'_target_': 'copy.networks.UNet', '_requires_': '@scripts'}
    """
    if isinstance(value, list):
        return [rewrite_targets(item, package) for item in value]
    if not isinstance(value, dict):
        return value
    items = {key: rewrite_targets(item, package) for key, item in value.items()}
    if (target := _target(value)) is not None:
        # MONAI resolves `_requires_` first
        items |= {"_target_": package + target.removeprefix(PACKAGE), "_requires_": f"@{SCRIPTS}"}
    return items


def _target(value: Any) -> str | None:
    """Return the ``_target_`` of a dictionary if it is in medkd."""
    target = value.get("_target_") if isinstance(value, dict) else None
    return target if isinstance(target, str) and target.startswith(f"{PACKAGE}.") else None


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts in a value of a configuration."""
    if isinstance(value, str):
        yield value
    for item in _children(value):
        yield from _texts(item)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
