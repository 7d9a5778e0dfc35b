"""The JSON files of a run, and the kinds of their values: a stranger, or another tool, may have written them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["is_calibration", "is_environment", "is_summary", "read_object"]


def read_object(file: Path, is_valid: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any] | None:
    """Return the object in a JSON file; None for a file that is missing, broken, or of another content.

    Args:
        file: need not exist.
        is_valid: tells whether an object is of the kind that is read.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    except (ValueError, RecursionError):  # no JSON, no text, or nested too deep
        return None
    return content if isinstance(content, dict) and is_valid(content) else None


def is_environment(content: dict[str, Any]) -> bool:
    """Return whether a content is the environment of a run: its seed, and perhaps command and versions.

    Example:
        >>> is_environment({"seed": 0, "versions": {"torch": "2.13.0"}}), is_environment({"seed": 0, "versions": []})
        (True, False)
    """
    command, versions = content.get("command", []), content.get("versions", {})
    return type(content.get("seed")) is int and isinstance(command, list) and isinstance(versions, dict)


def is_summary(content: dict[str, Any]) -> bool:
    """Return whether a content is the summary of a run: class -> metric -> mean, std and n.

    Example:
        >>> is_summary({"tumour": {"dice": {"mean": 0.5, "std": 0.1, "n": 2}}}), is_summary({"tumour": {"dice": 0.5}})
        (True, False)
    """
    classes = list(content.values())
    return all(isinstance(metrics, dict) and all(map(_is_statistics, metrics.values())) for metrics in classes)


def is_calibration(content: dict[str, Any]) -> bool:
    """Return whether a content is the calibration of a run: class -> three lists of one length: counts, and shares or None.

    Example:
        >>> is_calibration({"tumour": {"voxels": [0, 3], "probability": [None, 0.7], "frequency": [None, 0.5]}})
        True
    """
    return all(isinstance(bins, dict) and _are_bins(bins) for bins in content.values())


def _are_bins(bins: dict[str, Any]) -> bool:
    lists = [bins.get(name) for name in ("voxels", "probability", "frequency")]
    if not all(isinstance(values, list) for values in lists) or len(set(map(len, lists))) != 1:  # type: ignore[arg-type]
        return False
    are_counts = all(type(count) is int and 0 <= count < 2**63 for count in lists[0] or [])
    shares = zip(lists[0] or [], [*zip(lists[1] or [], lists[2] or [], strict=True)], strict=True)
    return are_counts and all(
        pair == (None, None)
        if count == 0
        else all(type(value) in (int, float) and 0 <= value <= 1.0001 for value in pair)
        for count, pair in shares
    )


def _is_statistics(entry: Any) -> bool:
    """Return whether an entry has mean and standard deviation, both None without any value, and their number."""
    if not isinstance(entry, dict) or not {"mean", "std", "n"} <= entry.keys():
        return False
    values = [entry["mean"], entry["std"]]
    return type(entry["n"]) is int and (values == [None, None] or all(type(value) in (int, float) for value in values))
