"""Settings for one's own data: train with each of a few on the training images, and choose by the validation images."""

from __future__ import annotations

import csv
import gc
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

from medkd.runs.errors import UsageError, one_line_errors
from medkd.runs.files import write_atomically
from medkd.runs.folder import RunFolder

from .search import Search
from .words import format_value

__all__ = ["Choice", "Trial", "train_tuned", "tune"]

Train = Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], None]

# The steps of a trial: no test, whose images are never read.
_STEPS = ["$@state.run(@train::trainer, @resume)"]


@dataclass
class Trial:
    """One training of a setting, without a test.

    Attributes:
        setting: option -> value.
        seed: of the run.
        epochs: of the run.
        folder: its output folder.
        metric: name of the validation's key metric.
        value: of the best validation.
        best_epoch: of that validation.
        problem: why there is no value.
        chosen: whether the setting is the best.
    """

    setting: dict[str, Any]
    seed: int
    epochs: int
    folder: Path
    metric: str = ""
    value: float | None = None
    best_epoch: int = 0
    problem: str = ""
    chosen: bool = False


class Choice(NamedTuple):
    """The setting with the best validation.

    Attributes:
        setting: option -> value.
        record: what was tried and what came of it, for the record of the training that follows.
    """

    setting: dict[str, Any]
    record: dict[str, Any]


def train_tuned(
    search: Search | None,
    check: Callable[[Mapping[str, Any]], tuple[dict[str, Any], str]],
    config: Callable[[str], Mapping[str, Any]],
    train: Train,
) -> None:
    """Train, with the best of several settings where there is a search.

    Args:
        search: what is tried; None: nothing.
        check: from a setting to the options of the command with it, and the mode; raises ValueError for what cannot be.
        config: from the mode to the merged configuration.
        train: trains with a setting, further options of this run alone, and facts for its record.
    """
    if search is None:
        train({}, {}, {})
        return
    # each setting, before anything is trained
    options, mode = [check(setting) for setting in search.settings][0]
    choice = tune(search, options, config(mode), train)
    train(choice.setting, {}, {"tuning": choice.record})


def tune(search: Search, options: Mapping[str, Any], config: Mapping[str, Any], train: Train) -> Choice:
    """Train with each setting, write ``tune.csv``, and return the setting with the best validation.

    A setting's value is the mean over its seeds of the best validation of each run. A setting with a failed run is not chosen.
    Of equal settings the first is.

    Args:
        search: what is tried.
        options: of the training that follows; ``output_dir`` among them, in which the trials have the folder ``tune``.
        config: merged configuration, with the defaults of options.
        train: see `train_tuned`.

    Raises:
        FileExistsError: for an output folder with an earlier run that is not resumed.
        ValueError: when no setting ended, or for trials of another call in the folder.
    """
    values = {**config, **options}
    output, is_resumed = Path(values["output_dir"]), bool(values["resume"])
    _check_output(output, is_resumed)
    trials = list(_plan(search, values))
    _print_budget(search, trials, values)
    for number, trial in enumerate(trials, 1):
        print(f"tune: run {number} of {len(trials)}: {_text(trial.setting)}, seed {trial.seed}", flush=True)
        _run(trial, train)
        if (output / "tune").exists():  # nothing is left of a command whose runs are all refused
            _write(trials, output / "tune.csv")
    results = {_text(trial.setting): [t for t in trials if t.setting == trial.setting] for trial in trials}
    means = {text: mean(_values(runs)) for text, runs in results.items() if len(_values(runs)) == len(runs)}
    best = max(means, key=lambda text: means[text], default=None)
    _print_results(results, best, output / "tune.csv")
    if best is None:
        problem = next(trial.problem for trial in trials if trial.problem)
        raise ValueError(f"--tune: none of {len(results)} settings ended: {problem}")
    for trial in trials:
        trial.chosen = _text(trial.setting) == best
    _write(trials, output / "tune.csv")
    _note_edge(search, results[best][0].setting)
    return Choice(results[best][0].setting, _record(search, trials))


def _check_output(output: Path, is_resumed: bool) -> None:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("--tune: found several processes, expected one: tune first, then train with what was chosen")
    if output.is_file():
        raise FileExistsError(f"--output_dir {output}: is a file, expected a folder")
    if not is_resumed and ((output / "tune").exists() or RunFolder(output).has_begun):
        raise FileExistsError(
            f"--output_dir {output} already holds results: choose another folder, or go on with --resume True"
        )


def _plan(search: Search, values: Mapping[str, Any]) -> Iterator[Trial]:
    first, default = int(values["seed"]), search.epochs or values["max_epochs"]
    names = [_folder_name(setting) for setting in search.settings]
    if len(set(names)) < len(names):
        names = [f"{number}_{name}" for number, name in enumerate(names, 1)]
    for name, setting in zip(names, search.settings, strict=True):
        for seed in range(first, first + search.seeds):
            folder = Path(values["output_dir"]) / "tune" / name / f"seed_{seed}"
            yield Trial(setting, seed, int(setting.get("max_epochs", default)), folder)


def _folder_name(setting: Mapping[str, Any]) -> str:
    return re.sub(r"[^\w.=,+-]+", "", _text({name.split("::")[-1]: value for name, value in setting.items()}))[:100]


def _run(trial: Trial, train: Train) -> None:
    """Run a trial, or go on with it. What goes wrong is kept: other settings may do."""
    run = RunFolder(trial.folder)
    changes = {"seed": trial.seed, "max_epochs": trial.epochs, "output_dir": str(trial.folder), "run": _STEPS}
    try:
        train(trial.setting, {**changes, "resume": run.has_begun}, {})
        _read_validation(trial, run)
    except FileExistsError:  # another process is at work there
        raise
    except Exception as error:
        if os.environ.get("MEDKD_TRACEBACK"):
            raise
        trial.problem = one_line_errors(error) or " ".join(f"{type(error).__name__}: {error}".split())
        if trial.problem.startswith("--resume"):
            raise ValueError(trial.problem) from None
        print(f"tune: failed: {trial.problem}", flush=True)
    gc.collect()  # engines refer to themselves: else the images and networks of all trials stay in memory


def _read_validation(trial: Trial, run: RunFolder) -> None:
    from medkd.networks.weight_file import read_weights  # imports torch

    best = read_weights(run.resume, "tune:")["best"]
    if best["epoch"] < 1 or not isfinite(best["metric"]):
        raise ValueError("no validation has a value")
    trial.metric, trial.value, trial.best_epoch = best["name"], best["metric"], best["epoch"]


def _record(search: Search, trials: Sequence[Trial]) -> dict[str, Any]:
    """Return the search with the validation of each trial, as plain data."""
    names = ("setting", "seed", "epochs", "value", "best_epoch", "problem", "chosen")
    return {
        "grid": search.grid,
        "seeds": search.seeds,
        "metric": next(trial.metric for trial in trials if trial.metric),
        "trials": [{name: getattr(trial, name) for name in names} for trial in trials],
    }


def _values(trials: Sequence[Trial]) -> list[float]:
    return [trial.value for trial in trials if trial.value is not None]


def _text(setting: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={format_value(value)}" for name, value in setting.items())


def _print_budget(search: Search, trials: Sequence[Trial], values: Mapping[str, Any]) -> None:
    epochs = sum(trial.epochs for trial in trials)
    last = "that many as chosen" if "max_epochs" in search.grid else f"{values['max_epochs']} epochs"
    print(
        f"tune: {len(search.settings)} settings x {search.seeds} seed(s) = {len(trials)} runs, {epochs} epochs together, on "
        f"the validation images; then the training itself, {last}",
        flush=True,
    )


def _print_results(results: Mapping[str, Sequence[Trial]], best: str | None, file: Path) -> None:
    width = max(map(len, results))
    for text, runs in results.items():
        values = _values(runs)
        problem = next((f"failed: {run.problem}" for run in runs if run.problem), "")
        spread = f" ± {stdev(values):.4f}" if len(values) > 1 else ""
        value = problem or f"{runs[0].metric} {mean(values):.4f}{spread}"
        print(f"tune: {text.ljust(width)}  {value}{'  <- chosen' if text == best else ''}", flush=True)
    if file.exists():
        print(f"tune: see {file}", flush=True)


def _note_edge(search: Search, setting: Mapping[str, Any]) -> None:
    """Print a note where the best of several numbers is the smallest or the largest."""
    for name, values in search.grid.items():
        if len(values) > 1 and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            for extreme, word in ((min(values), "smaller"), (max(values), "larger")):
                if setting[name] == extreme:
                    print(f"note: {name}: a value {word} than {extreme:g} may be better, none was tried", flush=True)


def _write(trials: Sequence[Trial], file: Path) -> None:
    """Write the table of all trials; those to come have no value."""

    def write(path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as stream:
            table = csv.writer(stream)
            table.writerow([*trials[0].setting, "seed", "epochs", "metric", "value", "best_epoch", "problem", "chosen"])
            for t in trials:
                result = [t.metric, t.value, t.best_epoch] if t.value is not None else ["", "", ""]
                table.writerow([*map(format_value, t.setting.values()), t.seed, t.epochs, *result, t.problem, t.chosen])

    write_atomically(file, write)
