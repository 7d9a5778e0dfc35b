"""The options in the record of a run, as validated plain data: strangers' records are read too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from medkd.configs.ids import is_expression
from medkd.configs.option import Option
from medkd.configs.plain import check_plain
from medkd.configs.table import ID_OPTIONS
from medkd.configs.values import fits

from .renames import rename_config

__all__ = ["NONE", "plain_options", "read_content"]

_MODES = ("2d", "3d")
NONE = "$None"  # how the command line hands None to MONAI


def read_content(file: Path) -> dict[str, Any] | None:
    """Return the whole content of a record, with today's names of classes and functions, as text that nothing has evaluated.

    It holds the configuration of the run, which is code: `plain_options` are its data.

    Returns:
        None for a file that is missing, or whose names and values are of another tool.

    Raises:
        ValueError: for a damaged file. A model beside one is not used as if it had no record: its values would be guessed.
    """
    if not file.is_file():
        return None
    from medkd.configs.yaml_text import read_mapping  # imports yaml, which exported models do without

    content = read_mapping(file, "the record of a run: names and values")
    # A whole configuration begins with its imports and ends with what it runs. Text that was cut between lines is YAML too.
    if "medkd" in str(content.get("imports")) and "run" not in content:
        raise ValueError(f"{file}: found the beginning of a record alone, expected the whole record of a run")
    # Configurations of other tools are named config.yaml too. Each record, old or new, has one of these two ids.
    if not {"bundle_root", "trained_with"} & content.keys():
        return None
    return rename_config({str(name): value for name, value in content.items()})


def plain_options(content: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """Return the options of a record, each of the kind that the table of options states.

    Everything else of the record is the configuration of its run. It is left out, as is an option that the run left as an
    expression of its bundle.

    Args:
        content: of the record, see `read_content`.
        file: for messages.

    Returns:
        Name -> value, and ``trained_with`` with what the run resolved.

    Raises:
        ValueError: for an option that is no plain data, or of another kind, or that has two values.
    """
    trained_with = content.get("trained_with") or {}
    if not isinstance(trained_with, dict):
        raise ValueError(f"{file}: trained_with: found {trained_with!r:.60}, expected names and values")
    options = _options(content, f"{file}: ")
    resolved = _options(trained_with, f"{file}: trained_with::")
    for name, value in resolved.items():
        if name in options and options[name] != value:
            raise ValueError(
                f"{file}: found {name} {options[name]!r:.60} and trained_with::{name} {value!r:.60}, expected one value: "
                "was one of them edited? Set both to what the model was trained with"
            )
    return {**options, "trained_with": resolved} if trained_with else options


def _options(content: Mapping[str, Any], place: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in content.items():
        option = ID_OPTIONS.get(str(name))
        if (option is None and name != "mode") or (is_expression(value) and value != NONE):
            continue
        check_plain(None if value == NONE else value, f"{place}{name}")
        values[name] = None if value == NONE else value
        if value not in (None, NONE) and not _is_of_kind(name, option, value):
            raise ValueError(f"{place}{name}: found {value!r:.60}, expected {_expected(name, option)}")
    return values


def _is_of_kind(name: str, option: Option | None, value: Any) -> bool:
    if option is None:
        return value in _MODES
    if option.kind == "computed":
        return _COMPUTED[name][0](value)
    if option.kind == "text":
        return isinstance(value, str) and (not option.choices or value in option.choices)
    return fits(value, None, option)


def _expected(name: str, option: Option | None) -> str:
    if option is None:
        return " or ".join(_MODES)
    return _COMPUTED[name][1] if option.kind == "computed" else option.usage.partition(" ")[2]


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int for item in value)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(isinstance(item, str) for item in value)


def _is_flags(value: Any) -> bool:
    return all(type(flag) is bool for flag in (value if isinstance(value, list) else [value]))


def _is_names(value: Any) -> bool:
    return isinstance(value, dict) and all(type(key) is int and isinstance(item, str) for key, item in value.items())


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict) and all(type(key) is int and type(item) is int for key, item in value.items())


# what is computed from the data set -> its check, and what it must be
_COMPUTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "classes": (_is_names, "numbers and names of classes"),
    "values": (_is_mapping, "stored values and numbers of classes"),
    "num_classes": (lambda value: type(value) is int and value > 1, "a whole number from 2 on"),
    "foreground": (_is_numbers, "stored values"),
    "form": (lambda value: isinstance(value, str), "a form of pictures"),
    "channels": (_is_texts, "names of channels"),
    "num_channels": (lambda value: type(value) is int and value > 0, "a whole number from 1 on"),
    "per_case": (_is_flags, "True or False, of several channels a list of these"),
}
