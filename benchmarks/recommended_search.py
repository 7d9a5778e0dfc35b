"""Score the search for the method `recommended` by its rules: ``python benchmarks/recommended_search.py EXPERIMENT``.

EXPERIMENT is the output folder of ``medkd experiment recommended-search``, which may be unfinished. Of each run the best
validation Dice counts, never its test Dice (``--test`` prints it afterwards, when the choice is made). The rules stand in the
head of ``bundles/experiments/recommended-search.yaml``.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from medkd.experiments.run import read_plan

ALONE = "Student alone"


def main() -> None:
    """Print a table: gains of each row by task, and the score over the tasks of each kind of student."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--test", action="store_true", help="test Dice in the place of the best validation Dice")
    arguments = parser.parse_args()
    plan = read_plan(arguments.experiment)
    read = _test_dice if arguments.test else _validation_dice
    dice = {task: {row: _values(plan.runs(task, row), read) for row in plan.rows_of(task)} for task in plan.tasks}
    kinds = sorted({task.rsplit("_", 1)[-1] for task in plan.tasks}, reverse=True)
    print(f"| | {' | '.join(plan.tasks)} | {' | '.join('mean of ' + kind for kind in kinds)} |")
    print("|---" * (1 + len(plan.tasks) + len(kinds)) + "|")
    for row in plan.rows:
        means = {task: _cell(dice[task].get(row, {}), dice[task][ALONE], row) for task in plan.tasks}
        scores = [_score([mean for task, (mean, _) in means.items() if task.endswith(kind)]) for kind in kinds]
        print(f"| {row} | {' | '.join(text for _, text in means.values())} | {' | '.join(scores)} |")


def _validation_dice(folder: Path) -> float | None:
    file = folder / "resume.pt"
    if not (folder / "summary.json").is_file() or not file.is_file():
        return None
    return 100 * float(torch.load(file, weights_only=True, mmap=True)["best"]["metric"])


def _test_dice(folder: Path) -> float | None:
    file = folder / "summary.json"
    if not file.is_file():
        return None
    classes = json.loads(file.read_text()).values()
    return 100 * statistics.mean(values["dice"]["mean"] for values in classes if "dice" in values)


def _values(runs: dict[int, Path], read: Callable[[Path], float | None]) -> dict[int, float]:
    return {seed: value for seed, folder in runs.items() if (value := read(folder)) is not None}


def _cell(values: dict[int, float], alone: dict[int, float], row: str) -> tuple[float | None, str]:
    """Return the mean gain (of the student alone and the teacher None) and the text of a cell."""
    if row in (ALONE, "Teacher"):
        return None, _spread(values.values(), "")
    gains = [value - alone[seed] for seed, value in values.items() if seed in alone]
    return (statistics.mean(gains) if gains else None), _spread(gains, "+")


def _spread(values: Iterable[float], sign: str) -> str:
    known = list(values)
    if not known:
        return ""
    deviation = f" ± {statistics.stdev(known):.1f}" if len(known) > 1 else ""
    return f"{statistics.mean(known):{sign}.1f}{deviation} ({len(known)})"


def _score(means: list[float | None]) -> str:
    known = [mean for mean in means if mean is not None]
    return f"{statistics.mean(known):+.2f}" if known and len(known) == len(means) else ""


if __name__ == "__main__":
    main()
