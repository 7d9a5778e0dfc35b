"""Compare pairs of rows of the experiment `desk2`, paired by seed: ``python benchmarks/desk2_pairs.py RUNS TABLE.csv``.

RUNS is the output folder of ``medkd experiment desk2``. TABLE.csv gets a line for each pair that has runs, and class: Dice
points of the first row more than the second, with the interval by bootstrap over seeds and patients.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from medkd.reports.tables import Experiment, results

# The rows' folders with their titles: the second is subtracted from the first.
PAIRS = (
    (("at", "AT"), ("kd", "KD")),
    (("pseudo_labels", "Pseudo-labels"), ("at", "AT")),
    (("hlfd_late_final", "HLFD, late = final"), ("hlfd", "HLFD")),
    (("plc_kd", "PLC-KD"), ("swap_control", "swap")),
)
# Rows with unlabelled images, which are compared with the same rows with labels alone.
WITH_IMAGES = (("at", "AT"), ("kd", "KD"), ("plc_kd", "PLC-KD"))

VALUES = ["seeds", "difference", "difference_std", "difference_low", "difference_high"]


def pairs(runs: Path) -> Iterator[tuple[str, str, Path, Path]]:
    """Yield task, title of the pair, and the folders of the two rows."""
    for task in sorted(path for path in runs.iterdir() if path.is_dir() and path.name.count("_")):
        for (first, title), (second, other) in PAIRS:
            yield task.name, f"{title} minus {other}", task / first, task / second
        if task.name.endswith("_unlabelled"):
            alone = runs / task.name.replace("_unlabelled", "_few")
            for name, title in WITH_IMAGES:
                yield task.name, f"{title} minus {title} without these images", task / name, alone / name


def compare(task: str, title: str, first: Path, second: Path) -> pd.DataFrame:
    """Return the lines of a pair, one for each class; none if fewer than two seeds have both rows."""
    seeds = sorted(_finished(first) & _finished(second))
    if len(seeds) < 2:
        return pd.DataFrame()
    rows = {
        name: {seed: folder / f"seed_{seed}" for seed in seeds}
        for name, folder in (("first", first), ("second", second))
    }
    table = results(Experiment(title, {task: rows}, ["dice"], "second"))
    lines = table[(table["row"] == "first") & (table["metric"] == "dice")]
    return lines.assign(row=title)[["task", "row", "class", *VALUES]]


def _finished(row: Path) -> set[int]:
    return {int(path.parent.name.removeprefix("seed_")) for path in row.glob("seed_*/summary.json")}


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path)
    parser.add_argument("table", type=Path)
    options = parser.parse_args(words)
    table = pd.concat([compare(*pair) for pair in pairs(options.runs)], ignore_index=True)
    table.to_csv(options.table, index=False)
    print(table.to_string(index=False, float_format="%.2f"))


if __name__ == "__main__":
    main()
