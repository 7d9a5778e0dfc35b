"""Merge the configuration files of a bundle as MONAI does, without importing MONAI."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from medkd.runs.errors import did_you_mean

from .yaml_text import read_mapping

__all__ = ["all_ids", "merge_files", "set_value", "top_ids"]


def merge_files(files: Sequence[str | Path]) -> dict[str, Any]:
    """Merge configuration files from left to right.

    The rules are those of ``monai.bundle.ConfigParser.load_config_files``: a later name replaces an earlier one, ``a::b`` (or
    ``a#b``) names an item of a dictionary or a list, ``+a`` updates a dictionary or extends a list.

    Args:
        files: YAML or JSON files.

    Returns:
        The merged configuration; macros, references and expressions are not resolved.

    Raises:
        FileNotFoundError: for a file that does not exist.
        ValueError: for a file that is not YAML or JSON, that holds no names, or that holds a name that nothing reads.
    """
    contents = [(str(file), _read(file)) for file in files]
    _check_overlays(contents)
    config: dict[str, Any] = {}
    for _, content in contents:
        for name, value in content.items():
            _merge(config, str(name), value)
    return config


def set_value(config: dict[str, Any], name: str, value: Any) -> None:
    """Set an id of a configuration.

    Args:
        config: is changed in place.
        name: of the id, such as ``train::trainer::amp``; numbers count the items of lists.
        value: what it is set to.

    Raises:
        ValueError: when the parent of a nested id does not exist.
    """
    *parents, last = _split(name)
    owner: Any = config
    for key in parents:
        owner = _item(owner, key, name)
    if not isinstance(owner, dict | list):
        raise ValueError(
            f"{name}: found {type(owner).__name__} at {'::'.join(parents)}, expected a dictionary or a list"
        )
    if isinstance(owner, list):
        owner[int(last)] = value
    else:
        owner[last] = value


def all_ids(config: Any, prefix: str = "") -> set[str]:
    """Return all ids below dictionaries: ``train``, ``train::trainer``, ``train::trainer::amp``, ...

    Example:
        >>> sorted(all_ids({"a": {"b": 1}, "c": [2]}))
        ['a', 'a::b', 'c']
    """
    if not isinstance(config, dict):
        return set()
    ids = set()
    for key, value in config.items():
        ids |= {f"{prefix}{key}"} | all_ids(value, f"{prefix}{key}::")
    return ids


def top_ids(files: Iterable[str | Path]) -> set[str]:
    """Return the ids at the top of configuration files."""
    return {_split(str(name).removeprefix("+"))[0] for file in files for name in _read(file)}


def _read(file: str | Path) -> dict[str, Any]:
    if not Path(file).is_file():
        raise FileNotFoundError(f"--config_file: {file}: no such file")
    return read_mapping(Path(file), place=f"--config_file: {file}")


def _merge(config: dict[str, Any], name: str, value: Any) -> None:
    if not name.startswith("+"):
        set_value(config, name, value)
        return
    try:
        existing = config
        for key in _split(name[1:]):
            existing = _item(existing, key, name)
    except ValueError:
        set_value(config, name[1:], value)
        return
    if isinstance(value, dict) and isinstance(existing, dict):
        existing.update(value)
    elif isinstance(value, list) and isinstance(existing, list):
        existing.extend(value)
    else:
        raise ValueError(
            f"{name}: found {type(value).__name__}, expected a dictionary or a list as in the earlier file"
        )


def _split(name: str) -> list[str]:
    return name.replace("#", "::").split("::")


def _item(owner: Any, key: str, name: str) -> Any:
    if isinstance(owner, dict) and key in owner:
        return owner[key]
    if isinstance(owner, list) and key.isdecimal() and int(key) < len(owner):
        return owner[int(key)]
    raise ValueError(f"{name}: the configuration has no {key!r}")


def _check_overlays(contents: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Raise ValueError for a misspelt name.

    A name at the top of a later file must be one of an earlier file, or some file must refer to it.
    """
    names: set[str] = set()
    text = yaml.safe_dump([content for _, content in contents], width=2**20)
    for number, (file, content) in enumerate(contents):
        tops = {_split(str(name).removeprefix("+"))[0] for name in content}
        for name in sorted(tops - names) if number else ():
            _check_is_read(name, names, text, file)
        names |= tops


def _check_is_read(name: str, names: Iterable[str], text: str, file: str) -> None:
    if not re.search(rf"[@%]{re.escape(name)}\b", text):
        hint = did_you_mean(name, names, count=2)
        raise ValueError(f"--config_file: {file}: nothing reads {name!r}" + (f": {hint}" if hint else ""))
