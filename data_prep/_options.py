"""The arguments that all preparations share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from numbers import Integral

from medkd.io.paths import PathLike
from medkd.runs.errors import UsageError

from ._each_case import check_workers

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """The arguments that all ``prepare`` functions share.

    Raises:
        ValueError: when ``fold``, ``folds`` or ``seed`` is no whole number from 0 on, ``split`` no name or path, or
            ``workers`` no number of processes.
    """

    split: PathLike
    fold: int
    folds: int
    seed: int
    overwrite: bool
    skip_bad: bool
    workers: int | None = None
    unlabelled: PathLike | None = None

    def __post_init__(self) -> None:
        for name in ("fold", "folds", "seed"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < 0:
                raise UsageError(f"--{name}: found {value!r}, expected a whole number from 0 on")
        check_workers(self.workers)
        if not isinstance(self.split, str | os.PathLike):
            raise UsageError(
                f"--split: found {self.split!r}, expected the name of a split or the path of a JSON or CSV file"
            )
