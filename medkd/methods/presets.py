"""Presets: one YAML file a method, with its terms, weights, taps and the sources of its numbers.

This module imports neither torch nor MONAI: a command or a plan is checked before anything heavy is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from medkd.configs.ids import is_expression
from medkd.runs.errors import UsageError, did_you_mean

__all__ = ["check_arguments", "has_terms", "load_preset", "names", "resolve_preset", "resolve_reference"]

_ARGUMENT = "@args::"
_FOLDER = Path(__file__).parent
# Arguments of every method that has terms. warmup: the weights of its terms grow from 0 during so many epochs.
_COMMON_ARGUMENTS = {"warmup": 0}
# Methods that read logits alone: the base of a method that corrects the teacher's soft labels.
_BASES = ("kd", "dkd", "cwd")


def names() -> list[str]:
    """Return the names of all methods, sorted.

    Example:
        >>> names()[:3]
        ['at', 'cirkd', 'cwd']
    """
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_preset(name: str) -> dict[str, Any]:
    """Load the preset of a method as its file holds it.

    Args:
        name: a method, see `names`.

    Returns:
        ``paper``, ``reads``, ``learns``, ``cost``, ``args`` with their defaults, and ``terms``; ``choices``: the words that
        an argument takes, where these are few; ``optional``: the terms that are left out, with a note, where no encoder
        stages have the same resolution; ``without_decoder``: the method, and its arguments, for a student without decoder;
        ``team`` and ``base`` of a method that corrects the teacher's soft labels.

    Raises:
        ValueError: for an unknown name, with the closest names and the whole list.

    Example:
        >>> load_preset("kd")["args"]
        {'temperature': 4.0, 'weight': 1.0, 'standardize': False}
    """
    if name not in names():
        hint = _hint(name, names())
        raise UsageError(f"unknown method {name!r}: {hint}expected one of {', '.join(names())}")
    preset: dict[str, Any] = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return preset


def has_terms(name: str) -> bool:
    """Return whether a method learns from a teacher, by its own terms or those of its base, and not from labels alone.

    Raises:
        ValueError: for an unknown method.

    Example:
        >>> has_terms("kd"), has_terms("plckd"), has_terms("none")
        (True, True, False)
    """
    preset = load_preset(name)
    return bool(preset["terms"]) or "base" in preset


def check_arguments(name: str, args: Mapping[str, Any] | None = None) -> None:
    """Check the name of a method and its arguments, without building the loss.

    Args:
        name: a method, see `names`.
        args: arguments that replace defaults of the preset.

    Raises:
        ValueError: for an unknown method, an unknown argument, or a value of another type than the default or not one of its
            choices.

    Example:
        >>> check_arguments("kd", {"wieght": 2.0})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        medkd.runs.errors.UsageError: method kd has no argument 'wieght': did you mean weight? it has warmup, ...
    """
    resolve_preset(name, args)


def resolve_preset(name: str, args: Mapping[str, Any] | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the preset of a method and all its arguments.

    A preset with a ``base`` takes the terms of that method, and its arguments beside those of the preset.

    Args:
        name: a method, see `names`.
        args: arguments that replace defaults of the preset.

    Returns:
        The preset, and its arguments: the defaults, replaced by ``args``.

    Raises:
        ValueError: for an unknown method, an unknown argument, or a value of another type than the default or not one of its
            choices.

    Example:
        >>> preset, arguments = resolve_preset("plckd", {"base": "cwd"})
        >>> list(preset["terms"]), arguments["kd_weight"]
        (['kd', 'cwd'], 1.0)
    """
    preset = load_preset(name)
    defaults = preset["args"]
    if "base" in preset:
        base_name = {**defaults, **(args or {})}["base"]
        if base_name not in _BASES:
            raise UsageError(f"method {name}: base: found {base_name!r}, expected one of {', '.join(_BASES)}")
        base = load_preset(base_name)
        preset, defaults = {**preset, "terms": base["terms"]}, {**base["args"], **defaults}
    if preset["terms"]:
        defaults = {**_COMMON_ARGUMENTS, **defaults}
    for key, value in (args or {}).items():
        _check_argument(name, key, value, defaults)
        _check_choices(name, key, value, preset.get("choices", {}).get(key))
    return preset, {**defaults, **(args or {})}


def resolve_reference(value: Any, arguments: Mapping[str, Any]) -> Any:
    """Return the argument that a reference such as ``@args::tap`` means, or any other value as it is.

    Example:
        >>> resolve_reference("@args::weight", {"weight": 0.5})
        0.5
    """
    if isinstance(value, str) and value.startswith(_ARGUMENT):
        return arguments[value.removeprefix(_ARGUMENT)]
    return value


def _check_argument(name: str, key: str, value: Any, defaults: Mapping[str, Any]) -> None:
    """Raise ValueError unless a method has the argument and its default is of the value's type."""
    if key not in defaults:
        options = ", ".join(defaults) or "no arguments"
        raise UsageError(f"method {name} has no argument {key!r}: {_hint(key, defaults)}it has {options}")
    default = defaults[key]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    needs_number = isinstance(default, int | float) and not isinstance(default, bool)
    if needs_number and not is_number or default is None and not (is_number or value is None):
        raise UsageError(f"method {name}: {key}: found {value!r}, expected a number")
    if isinstance(default, bool) and not isinstance(value, bool):
        raise UsageError(f"method {name}: {key}: found {value!r}, expected True or False")
    if isinstance(default, str) and not default.startswith("$") and not isinstance(value, str):
        raise UsageError(f"method {name}: {key}: found {value!r}, expected text such as {default!r}")


def _check_choices(name: str, key: str, value: Any, choices: Sequence[str] | None) -> None:
    """Raise ValueError for a word, or a list with a word, that is not one of the choices of an argument."""
    for word in value if isinstance(value, list | tuple) else [value]:
        if choices and word not in choices and not is_expression(word):
            raise UsageError(
                f"method {name}: {key}: found {word!r}, {_hint(str(word), choices)}expected one of {', '.join(choices)}"
            )


def _hint(name: str, options: Any) -> str:
    """Return the question "did you mean ...? " of a misspelt name, or an empty text."""
    question = did_you_mean(name, options, count=2)
    return f"{question} " if question else ""
