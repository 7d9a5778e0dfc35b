"""Check the kind of an option's value, and convert words such as true and null."""

from __future__ import annotations

import math
import os
import re
from typing import Any

from medkd.runs.errors import UsageError

from .ids import get_nested, is_expression
from .option import Option
from .table import option_of

__all__ = ["check_expanded", "check_monai_words", "check_value", "convert_words", "fits"]

# what a shell, or a scheduler's template, would have replaced
_UNEXPANDED = re.compile(r"\$\{?\w|^~|\{\{|%\w+%")
_WORDS = {"true": True, "false": False, "none": None, "null": None}


def convert_words(options: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Return the options with ``true``, ``false``, ``null`` and ``None`` as what they mean.

    MONAI reads the lower-case words as text, and ignores None: here None becomes the expression ``$None``.

    Args:
        options: name and value, as they were read.
        config: merged configuration; an id whose default is text keeps the word (``--method none``).
    """
    converted = {}
    for name, value in options.items():
        default = get_nested(config, name)
        if _is_word(value, name, default):
            value = None if value is None else _WORDS[value.lower()]
            if value is None and _is_nullable(name, default):
                value = "$None"
        converted[name] = value
    return converted


def check_monai_words(options: dict[str, Any], config: dict[str, Any]) -> None:
    """Check a command line of MONAI for words that do not mean to MONAI what they look like.

    Raises:
        ValueError: for ``true``, ``false``, ``none``, ``null`` and ``None``.
    """
    for name, value in options.items():
        if _is_word(value, name, get_nested(config, name)):
            word = str(value)
            meant = _WORDS[word.lower()]
            write = "'$None'" if meant is None else str(meant)
            raise UsageError(f"--{name} {word} does not mean {word} to MONAI: write {write}")


def check_value(name: str, value: Any, default: Any, option: Option | None = None, is_evaluated: bool = False) -> None:
    """Check the kind of an option's value.

    Args:
        name: of the option.
        value: as the command line was read.
        default: what the configuration has.
        option: entry of the table; None: that of the name, if there is one. An option of the table is data. An id without an
            entry overrides the configuration, which may be code.
        is_evaluated: whether MONAI evaluates expressions in options of the table too, as its own command line does.

    Raises:
        ValueError: for a value of another kind.
    """
    option = option or option_of(name)
    if name == "mode":
        raise UsageError(
            "--mode: add bundles/overlays/volumetric.yaml and volumetric_train.yaml to --config_file instead"
        )
    if is_expression(value) and (option is None or is_evaluated):
        value = None  # MONAI evaluates it
    elif value is None or value == "$None":
        if not _is_nullable(name, default, option):
            raise UsageError(f"--{name}: found None, expected {_expected(name, default, option)}")
        value = None
    if option is not None and option.kind == "computed":
        if str(default).startswith("$"):
            raise UsageError(f"--{name}: is computed from the data set (and --target), it is not an option")
    elif value is not None and not fits(value, default, option):
        found = list(value) if isinstance(value, tuple) else value
        raise UsageError(f"--{name}: found {found!r}, expected {_expected(name, default, option, value)}")
    elif option is not None and option.kind in ("path", "paths") and value is not None and not is_evaluated:
        for path in [value] if isinstance(value, str) else value:
            check_expanded(name, path)
    if name == "device" and value is not None:
        _check_device(str(value))


def check_expanded(name: str, path: str) -> None:
    """Check that nothing in a path looks like a variable that a shell would have replaced.

    Args:
        name: of the option.
        path: its value. A folder that is really named like a variable is taken.

    Raises:
        FileNotFoundError: for a path such as ``$SCRATCH/data`` or ``~/data``.
    """
    found = None if "://" in path else _UNEXPANDED.search(path)
    if found is not None:
        end = path.find("/", found.start())
        if not os.path.lexists(path if end < 0 else path[:end]):
            raise FileNotFoundError(f"--{name}: no such folder: {path} (is a variable unexpanded?)")


def fits(value: Any, default: Any, option: Option | None) -> bool:
    """Return whether a value is of the kind of an option, or without an option of that of a default."""
    if option is not None and option.kind == "words":
        return all(word in option.choices for word in (value if _is_list(value) else [value]))
    if option is None or option.kind in ("any", "text"):
        if option is not None and option.choices:
            return value in option.choices
        if _is_number(default):
            return isinstance(value, int | float)
        if isinstance(default, dict):
            return isinstance(value, dict)
        return _is_list(value) or not isinstance(default, list)
    match option.kind:
        case "path":
            return isinstance(value, str)
        case "paths":
            return isinstance(value, str) or _is_list(value) and all(isinstance(path, str) for path in value)
        case "number":
            return _is_number(value) and math.isfinite(value) and option.least <= value <= option.most
        case "whole":
            return _is_number(value) and isinstance(value, int) and value >= 0
        case "count":
            return _is_number(value) and isinstance(value, int) and 0 < value <= option.most
        case "truth":
            return isinstance(value, bool | int) or value in option.choices
        case "names":
            names = value if _is_list(value) else str(value).split(",")
            return not option.choices or all(str(name).strip() in option.choices for name in names)
        case "list":
            return _is_list(value) or value in option.choices
        case "sizes":
            return _is_list(value) and all(isinstance(edge, int) and _is_number(edge) and edge > 0 for edge in value)
        case "numbers":
            return _is_list(value) and all(_is_number(item) and math.isfinite(item) for item in value)
        case "window":
            return _is_window(value) or _is_list(value) and len(value) > 0 and all(map(_is_window, value))
        case "mapping":
            return isinstance(value, dict)
    return True


def _expected(name: str, default: Any, option: Option | None, value: Any = None) -> str:
    if option is not None and option.kind == "words":
        return f"one or several of {', '.join(option.choices)}{', or None' if option.nullable else ''}"
    if option is not None and option.kind == "truth":
        return " or ".join(["True, False" if option.choices else "True or False", *option.choices])
    if option is not None and option.choices:
        if option.kind == "names":
            return f"some of {', '.join(option.choices)}: --{name} {','.join(option.choices[:2])}"
        of_list = f", or a list such as {option.example}" if option.kind == "list" else ""
        return f"one of {', '.join(option.choices)}{of_list}"
    match option.kind if option is not None else "any":
        case "path" | "paths":
            return f"a path: write ./{'NAME' if value is None else value}"
        case "number":
            least = "" if option is None or option.least == -math.inf else f" from {option.least:g} on"
            most = "" if option is None or option.most == math.inf else f" up to {option.most}"
            return f"a number{least}{most}"
        case "whole":
            return "a whole number from 0 on"
        case "count":
            end = "on" if option is None or option.most == math.inf else f"to {option.most}"
            return f"a whole number from 1 {end}"
        case "list" | "sizes" | "numbers" if option is not None and option.example:
            return f"a list such as {option.example}, or its values as words"
        case "window":
            return "the lowest and the highest intensity: [-200,300]; of several channels a list of these"
        case "mapping":
            return f"names and values: --{name} \"{{'name': 'value'}}\""
    if _is_number(default):
        return "a number"
    if isinstance(default, dict):
        return "names and values, such as a component with its _target_, or an expression that begins with $"
    return f"a list such as {default}" if isinstance(default, list) else f"a value such as {default!r}"


def _check_device(device: str) -> None:
    if not re.fullmatch(r"(cpu|cuda|mps|xpu)(:\d+)?", device):
        raise UsageError(f"--device: found {device!r}, expected cpu, cuda, or one GPU such as cuda:0")
    if not device.startswith("cuda"):
        return
    import torch  # takes seconds: only where somebody asks for a GPU

    if not torch.cuda.is_available():
        raise ValueError(f"--device {device}: PyTorch finds no CUDA device here: write --device cpu")


def _is_word(value: Any, name: str, default: Any) -> bool:
    option = option_of(name)
    is_text = isinstance(default, str) and not default.startswith(("$", "@"))
    if option is not None:
        is_text = is_text and option.kind in ("text", "path", "paths", "any")
    return value is None or isinstance(value, str) and value.lower() in _WORDS and not is_text


def _is_nullable(name: str, default: Any, option: Option | None = None) -> bool:
    option = option or option_of(name)
    if option is not None and option.kind not in ("any", "text", "mapping", "computed"):
        return option.nullable or default is None
    return default is None or isinstance(default, str) or (option is not None and option.nullable)


def _is_window(value: Any) -> bool:
    is_pair = _is_list(value) and len(value) == 2 and all(_is_number(v) and math.isfinite(v) for v in value)
    return is_pair and value[0] < value[1]


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
