"""Compare pairs of rows of an experiment, paired by seed: ``python benchmarks/desk2_pairs.py RUNS TABLE.csv``.

RUNS is the output folder of ``medkd experiment desk2`` or ``hlfd-readings``. TABLE.csv gets a line for each pair that has
runs, and class: Dice points of the first row more than the second, with the interval by bootstrap over seeds and patients.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from medkd.experiments import Plan, read_plan
from medkd.reports.tables import Experiment, results
from medkd.runs import RunFolder

Runs = dict[int, Path]  # seed -> folder

# Supply of labels and images -> another one, which the same rows are compared with, and how that one differs.
OTHERS = {
    "unlabelled": ("few", "without these images"),
    "seen": ("few", "without these images"),
    "none": ("unlabelled", "with few labels too"),
}
ROWS = ("AT", "KD", "HLFD, late = final", "PLC-KD", "Pseudo-labels")

VALUES = ["seeds", "difference", "difference_std", "difference_low", "difference_high"]


def rows_to_compare(task: str) -> tuple[tuple[str, str], ...]:
    """Return the pairs of rows of a task; the second row is subtracted from the first."""
    recommended = "HLFD, late = final" if "fcn_" in task else "AT"  # for a ResNetFCN, for a UNet
    return (
        (recommended, "KD"),
        ("Pseudo-labels", recommended),
        ("HLFD, late = final", "HLFD"),
        ("HLFD, late = final", "HLFD, late = bottleneck"),  # of hlfd-readings
        ("PLC-KD", "swap (control)"),
    )


def pairs(plan: Plan) -> Iterator[tuple[str, str, Runs, Runs]]:
    """Yield task, title of the pair, and the runs of the two rows."""
    for task in plan.tasks:
        for first, second in rows_to_compare(task):
            yield task, f"{first} minus {second}", _ended(plan, task, first), _ended(plan, task, second)
        data, _, supply = task.rpartition("_")
        if supply in OTHERS:
            other, words = OTHERS[supply]
            for row in ROWS:
                yield task, f"{row} minus {row} {words}", _ended(plan, task, row), _ended(plan, f"{data}_{other}", row)
        if supply == "long":
            alone = _ended(plan, task, "Student alone")
            for row in ("AT", "Student alone"):
                yield task, f"{row} minus Student alone, the teacher's epochs", _ended(plan, f"{data}_full", row), alone


def compare(task: str, title: str, first: Runs, second: Runs) -> pd.DataFrame:
    """Return the lines of a pair, one for each class; none if fewer than two seeds have both rows."""
    seeds = sorted(first.keys() & second.keys())
    if len(seeds) < 2:
        return pd.DataFrame()
    rows = {"first": {seed: first[seed] for seed in seeds}, "second": {seed: second[seed] for seed in seeds}}
    table = results(Experiment(title, {task: rows}, ["dice"], "second"))
    lines = table[(table["row"] == "first") & (table["metric"] == "dice")]
    return lines.assign(row=title)[["task", "row", "class", *VALUES]]


def _ended(plan: Plan, task: str, row: str) -> Runs:
    if task not in plan.tasks or row not in plan.rows_of(task):
        return {}
    return {seed: folder for seed, folder in plan.runs(task, row).items() if RunFolder(folder).summary.exists()}


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path)
    parser.add_argument("table", type=Path)
    options = parser.parse_args(words)
    table = pd.concat([compare(*pair) for pair in pairs(read_plan(options.runs))], ignore_index=True)
    table.to_csv(options.table, index=False)
    print(table.to_string(index=False, float_format="%.2f"))


if __name__ == "__main__":
    main()
