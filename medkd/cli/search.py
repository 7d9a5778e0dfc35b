"""What `medkd distill --tune` tries: options and their values, all combinations of which are the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from medkd.configs.option import Option
from medkd.runs.errors import UsageError

from .team import MEMBERS
from .words import format_value, read_value

__all__ = ["TUNE_OPTIONS", "Search", "read_search"]

TUNE_OPTIONS = (
    Option(
        "tune",
        "mapping",
        "Values of an option, of which the best on the validation images is chosen before the training; may be repeated: "
        "all combinations are tried.",
        repeat=True,
        metavar="NAME=[A,B,...]",
    ),
    Option("tune_epochs", "count", "Number of training epochs of each trial of --tune (default: max_epochs)."),
    Option("tune_seeds", "count", "Number of seeds of each setting of --tune (default: 1)."),
)
# What decides the validation images and their labels, or where and how a run runs.
_NOT_TUNED = ("dataset_dir", "output_dir", "resume", "target", "mlflow", "metrics", "run", *MEMBERS[1:])


@dataclass(frozen=True)
class Search:
    """What is tried.

    Attributes:
        grid: option -> values.
        epochs: of a trial; None: those of the training.
        seeds: number of seeds of each setting.
    """

    grid: dict[str, list[Any]]
    epochs: int | None = None
    seeds: int = 1

    @property
    def settings(self) -> list[dict[str, Any]]:
        """All combinations of the values.

        Example:
            >>> Search({"learning_rate": [0.1, 0.2], "batch_size": [4]}).settings
            [{'learning_rate': 0.1, 'batch_size': 4}, {'learning_rate': 0.2, 'batch_size': 4}]
        """
        return [dict(zip(self.grid, values, strict=True)) for values in product(*self.grid.values())]


def read_search(settings: Mapping[str, Any], options: Mapping[str, Any]) -> Search | None:
    """Read what a command line tunes.

    Args:
        settings: values of `TUNE_OPTIONS`.
        options: ids of the configuration and their values, which the command gives too.

    Returns:
        The search; None without ``--tune``.

    Raises:
        UsageError: for a value that is no name with a list of different values, an option that cannot be tuned or that is given
            twice, a single setting, and for a budget without ``--tune``.

    Example:
        >>> read_search({"tune": ["learning_rate=[1e-3,3e-3]"], "tune_epochs": 5, "tune_seeds": None}, {})
        Search(grid={'learning_rate': [0.001, 0.003]}, epochs=5, seeds=1)
    """
    grid: dict[str, list[Any]] = {}
    for name, values in map(_read_values, settings["tune"]):
        if name in grid:
            raise UsageError(f"--tune {name}: found it twice, expected one list of values")
        _check_name(name, options)
        grid[name] = values
    for name in ("tune_epochs", "tune_seeds"):
        if settings[name] is not None and not grid:
            raise UsageError(f"--{name}: has no effect without --tune")
    if not grid:
        return None
    search = Search(grid, settings["tune_epochs"], settings["tune_seeds"] or 1)
    if len(search.settings) == 1:
        (option, (value,)), *_ = grid.items()
        raise UsageError(f"--tune {option}: found {value!r} alone, expected several values to choose from")
    if search.epochs is not None and "max_epochs" in grid:
        raise UsageError("--tune_epochs: has no effect with --tune max_epochs")
    return search


def _read_values(word: str) -> tuple[str, list[Any]]:
    name, equals, text = word.partition("=")
    name, values = name.strip().replace("#", "::"), read_value([text.strip()]) if equals else None
    if not name or name.startswith("-") or not isinstance(values, list | tuple) or not values:
        raise UsageError(f'--tune: found {word!r}, expected a name and values: --tune "{name or "NAME"}=[A,B]"')
    texts = list(map(format_value, values))
    if repeated := [text for text in texts if texts.count(text) > 1]:
        raise UsageError(f"--tune {name}: found {repeated[0]} twice, expected different values")
    return name, list(values)


def _check_name(name: str, options: Mapping[str, Any]) -> None:
    if name == "seed":
        raise UsageError("--tune seed: a seed is no setting: write --tune_seeds N for the mean over several")
    if name.split("::")[0] in _NOT_TUNED or name.startswith("teacher::"):
        raise UsageError(f"--tune {name}: cannot be tuned, expected an option of the student's training")
    first, _, argument = name.partition("::")
    arguments = options.get(first)
    if name in options or isinstance(arguments, Mapping) and argument in arguments:
        raise UsageError(f"--tune {name}: found --{name} too, expected one of both")
