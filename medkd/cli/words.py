"""Read the words of a command line: options with their values, and positional arguments."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

from medkd.configs.yaml_text import load_yaml

__all__ = ["Arity", "format_options", "format_value", "read_value", "split_words"]

# How many words follow an option: none; one; "True" or "False" or none; all up to the next option.
Arity = Literal["none", "one", "truth", "all"]
_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


def split_words(words: Sequence[str], arity: Callable[[str], Arity]) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Split a command line into positional arguments, and options with the words of their values.

    Args:
        words: what follows the verb. An option is ``--name value`` or ``--name=value``; ``#`` in its name is read as ``::``.
        arity: from the name of an option to the number of words that it takes.

    Returns:
        The positional arguments; pairs of a name and its words, in the order of the command line.

    Example:
        >>> split_words(["kits19", "--image_size", "96", "96", "--amp"], lambda name: "all")
        (['kits19'], [('image_size', ['96', '96']), ('amp', [])])
    """
    positionals: list[str] = []
    options: list[tuple[str, list[str]]] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            positionals.append(word)
            continue
        name, equals, value = word[2:].partition("=")
        name = name.replace("#", "::")
        values = [value] if equals else []
        most = {"none": 0, "one": 1, "truth": 1, "all": len(rest) + 1}[arity(name)]
        while rest and len(values) < most and not rest[0].startswith("--"):
            if arity(name) == "truth" and rest[0].lower() not in ("true", "false"):
                break
            values.append(rest.pop(0))
        options.append((name, values))
    return positionals, options


def read_value(words: Sequence[str]) -> Any:
    """Read the value of an option.

    Args:
        words: none is read as True, several as a list. Each is a Python literal, a list or a dictionary as YAML writes it, or
            text.

    Example:
        >>> read_value(["96", "96"]), read_value(["[1e-4, a]"]), read_value(["{kd: [KD_0, KD_1]}"]), read_value(["kd"])
        ([96, 96], [0.0001, 'a'], {'kd': ['KD_0', 'KD_1']}, 'kd')
    """
    if not words:
        return True
    values = [_read_word(word) for word in words]
    return values[0] if len(values) == 1 else values


def format_value(value: Any) -> str:
    """Write a value so that `read_value`, and the command line of MONAI, read the same value.

    Example:
        >>> format_value([96, 96]), format_value("kd"), format_value("5")
        ('[96, 96]', 'kd', "'5'")
    """
    if not isinstance(value, str):
        return str(value)
    return value if read_value([value]) == value else repr(value)


def format_options(options: dict[str, Any]) -> list[str]:
    """Write options as the words of a command line."""
    return [word for name, value in options.items() for word in (f"--{name}", format_value(value))]


def _read_word(word: str) -> Any:
    try:
        return ast.literal_eval(word)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    if not word.startswith(("[", "{")):
        return word
    try:
        return _read_exponents(load_yaml(word))
    except ValueError:
        return word


def _read_exponents(value: Any) -> Any:
    """Return the value with ``1e-4`` as a number: YAML 1.1 takes it for text."""
    if isinstance(value, dict):
        return {key: _read_exponents(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_read_exponents(item) for item in value]
    return float(value) if isinstance(value, str) and _EXPONENT.fullmatch(value) else value
