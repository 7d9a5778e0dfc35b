"""What an experiment needs to know of the bundles; the command line fills it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Bundles", "OptionCheck"]


class OptionCheck(Protocol):
    """A function that raises ValueError for an option of a run, a method or an argument of it that cannot be."""

    def __call__(
        self,
        verb: str,
        task: str,
        options: Mapping[str, Any],
        *,
        role: str = "student",
        overlays: Sequence[str] = (),
        soft_labels: str = "online",
        mode: str = "2d",
    ) -> None:
        """Check the options of one run.

        Args:
            verb: "train" or "distill".
            task: name of the bundle.
            options: ids of the configuration and their values.
            role: who is trained.
            overlays: files over the configuration of the bundle.
            soft_labels: "online" or "cached".
            mode: "2d" or "3d".
        """


@dataclass(frozen=True)
class Bundles:
    """The bundles on this machine.

    Args:
        folder: holds a folder for each bundle, ``experiments/`` and ``Snakefile``.
        tasks: names of the bundles.
        check_options: checks the options of one run.
    """

    folder: Path
    tasks: Sequence[str]
    check_options: OptionCheck
