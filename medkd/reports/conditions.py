"""In which conditions of the paper a measured table differs: other sizes, other splits, other networks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from .published import Published

__all__ = ["differences"]


def differences(
    published: Published, kind: str, runs: Mapping[str, Mapping[int, Path]], data: Path | None
) -> list[str]:
    """Sentences such as ``image_size [64, 64] (paper: [512, 512])``, of one task.

    Args:
        published: the paper's table.
        kind: name of the bundle.
        runs: row -> seed -> folder, of which those are read that have a record.
        data: the prepared data set, for the numbers of cases.
    """
    configs = [yaml.safe_load((folder / "config.yaml").read_text()) for folder in _recorded(runs)]
    found = []
    for name, wanted in published.conditions.items():
        values = _distinct(config[name] for config in configs if name in config)
        if any(value != wanted for value in values):
            found.append(f"{name} {' and '.join(map(str, values))} (paper: {wanted})")
    listed = None if data is None else Path(data) / "datalist.json"
    if listed is not None and kind in published.cases and not listed.is_file():
        found.append(f"numbers of cases unknown, {data} is no longer there")
    elif listed is not None and kind in published.cases:
        parts = json.loads(listed.read_text())
        for part, wanted in published.cases[kind].items():
            if len(parts[part]) != wanted:
                found.append(f"{len(parts[part])} {part} cases (paper: {wanted})")
    return found


def _recorded(runs: Mapping[str, Mapping[int, Path]]) -> list[Path]:
    return [folder for of_row in runs.values() for folder in of_row.values() if (folder / "config.yaml").is_file()]


def _distinct(values: Any) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
