"""Results that the papers publish, to stand beside the measured ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

__all__ = ["Published", "digits", "load_published"]


def digits(metric: str) -> int:
    """Return the number of decimals of a metric, for published and measured values."""
    return 3 if metric in ("rvd", "abs_rvd") else 2


@dataclass(frozen=True)
class Published:
    """One table of a paper."""

    source: str
    conditions: Mapping[str, Any]
    """Ids of a run's configuration with the paper's values."""
    cases: Mapping[str, Mapping[str, int]]
    """Task -> split -> number of cases."""
    tasks: Mapping[str, Mapping[str, Mapping[str, list[float]]]]
    """Task -> row -> metric -> [mean] or [mean, deviation]; Dice and IoU in percent."""

    def text(self, task: str, row: str, metric: str) -> str:
        """Return a published value, such as ``52.18 ± 2.55``; an empty text if the paper has none."""
        values = self.tasks.get(task, {}).get(row, {}).get(metric, [])
        return " ± ".join(f"{value:.{digits(metric)}f}" for value in values)


def load_published(name: str) -> Published:
    """Load a published table by its name.

    Raises:
        ValueError: for an unknown name.
    """
    tables = _load()
    if name not in tables:
        raise ValueError(f"published: found {name!r}, expected one of {', '.join(tables)}")
    return Published(**tables[name])


@cache
def _load() -> dict[str, Any]:
    tables: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("published.yaml").read_text(encoding="utf-8"))
    return tables
