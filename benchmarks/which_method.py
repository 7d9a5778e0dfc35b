"""Print the tables of the comparison `desk2`, and draw its forest plot: ``python benchmarks/which_method.py``.

Each file of benchmarks/results/desk2 is the ``table.csv`` of ``medkd report --experiment`` on one data set, each file of
benchmarks/results/desk2_pairs is written by desk2_pairs.py. The plot goes to docs/pictures/which_method.png. (desk2_long
has the student alone of the cells `long`, which stands in the pairs alone.)
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

RESULTS = Path(__file__).parent / "results"
TABLES = sorted((RESULTS / "desk2").glob("*.csv"))
PAIRS = sorted((RESULTS / "desk2_pairs").glob("*.csv"))
PICTURE = Path(__file__).parents[1] / "docs/pictures/which_method.png"
DATA = {
    "isic": "ISIC-2018",
    "cvc": "CVC-612",
    "lits_unet": "LiTS slices",
    "lits_fcn": "LiTS slices (no decoder)",
    "sarcoma": "sarcoma, 3-D",
    "hippocampus": "hippocampus, 3-D",
}
# Ending of a task's name: its words, colour and marker.
LABELS = {
    "few": ("few labels", "#D55E00", "o"),
    "unlabelled": ("few labels, others unlabelled", "#0072B2", "s"),
    "seen": ("few labels, the teacher's images unlabelled", "#009E73", "D"),
    "none": ("no labels, images alone", "#CC79A7", "v"),
    "full": ("all labels", "#555555", "^"),
    "long": ("all labels, and the student alone with the teacher's epochs", "#999999", "x"),  # in the pairs alone
}
BASELINE, TEACHER = "Student alone", "Teacher"


def read_tables(paths: Sequence[Path]) -> pd.DataFrame:
    """Return all cells that have runs, with the columns ``data`` (with the class, if of several) and ``labels``."""
    table = pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)
    table = table[table["seeds"] > 0].copy()
    parts = table["task"].str.rpartition("_")
    table["data"], table["labels"] = parts[0].map(DATA), parts[2]
    several = table.groupby("data")["class"].transform("nunique") > 1
    table.loc[several, "data"] += ", " + table["class"]
    order = {name: number for number, name in enumerate(DATA.values())}
    return table.sort_values("data", key=lambda names: names.str.partition(", ")[0].map(order), kind="stable")


def print_summary(table: pd.DataFrame, baseline: str | None = None) -> None:
    """Print Dice points, a table for each supply of labels, a column for each data set; of the baseline its Dice."""
    for labels in [labels for labels in LABELS if labels in set(table["labels"])]:
        of_labels = table[table["labels"] == labels]
        names = list(dict.fromkeys(of_labels["data"]))
        cells = of_labels.set_index(["row", "data"]).sort_index()
        texts = {
            row: [_value(cells.loc[(row, name)], row) if (row, name) in cells.index else "" for name in names]
            for row in _rows(of_labels)
        }
        print(f"\n**{LABELS[labels][0].capitalize()}**\n")
        _print(names, texts, baseline)


def print_details(table: pd.DataFrame) -> None:
    """Print the other metrics, the share of the gap and the minutes, a table for each data set and supply of labels."""
    for (data, labels), of_cell in table.groupby(["data", "labels"], sort=False):
        metrics = [metric for metric in dict.fromkeys(of_cell["metric"]) if metric != "dice"]  # the summary has it
        if not metrics:
            continue
        print(f"\n**{data}, {LABELS[str(labels)][0]}**\n")
        texts = {}
        for row in _rows(of_cell):
            cells = of_cell[of_cell["row"] == row].set_index("metric")
            first = cells.iloc[0]
            texts[row] = [_value(cells.loc[metric], row) for metric in metrics]
            texts[row] += [_gap_closed(first), f"{first['seeds']:.0f}"]
            texts[row] += ["" if pd.isna(first["minutes"]) else f"{first['minutes']:.1f}"]
        _print([*(metric.upper() for metric in metrics), "gap closed, %", "runs", "minutes"], texts)


def _rows(table: pd.DataFrame) -> list[str]:
    return sorted(dict.fromkeys(table["row"]), key=lambda row: row != BASELINE)


def _print(columns: Sequence[str], texts: Mapping[str, Sequence[str]], baseline: str | None = None) -> None:
    print(f"| | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    for row, cells in texts.items():
        print(f"| {baseline if baseline and row == BASELINE else row} | {' | '.join(cells)} |")


def _value(cell: pd.Series, row: str) -> str:
    """Render the mean of the student alone, of every other row the difference with its interval."""
    if row == BASELINE:
        of_patients = pd.notna(cell.get("mean_over_patients"))  # absent where each case is a patient
        mean, std = ("mean_over_patients", "std_over_patients") if of_patients else ("mean", "std")
        return f"{cell[mean]:.1f}" + (f" ± {cell[std]:.1f}" if pd.notna(cell[std]) else "")
    low, high = cell["difference_low"], cell["difference_high"]
    if pd.isna(low):
        return f"{cell['difference']:+.1f}"
    text = f"{cell['difference']:+.1f} ({low:+.1f} to {high:+.1f})"
    return f"**{text}**" if low > 0 or high < 0 else text


def _gap_closed(cell: pd.Series) -> str:
    if pd.isna(cell["gap_closed"]):
        return ""
    share, low, high = (100 * cell[f"gap_closed{end}"] for end in ("", "_low", "_high"))
    return f"{share:.0f} ({low:.0f} to {high:.0f})"


def draw_forest(table: pd.DataFrame, path: Path) -> None:
    """Draw the differences to the student alone with their intervals: a panel for each data set, two in a row."""
    students = table[~table["row"].isin([BASELINE, TEACHER])]
    rows, names = list(dict.fromkeys(students["row"])), list(dict.fromkeys(students["data"]))
    lengthwise = -(-len(names) // 2)
    figure = Figure(figsize=(8.5, lengthwise * (0.5 * len(rows) + 0.6) + 0.8), layout="constrained")
    panels = figure.subplots(lengthwise, 2, sharex=True, sharey=True, squeeze=False).flat
    for axes in panels[len(names) :]:
        axes.remove()
    for axes, name in zip(panels, names, strict=False):
        _draw_panel(axes, table[table["data"] == name], rows)
        axes.set_title(name, fontsize=10)
    panels[0].set_yticks(range(len(rows)), rows)
    panels[0].set_ylim(len(rows) - 0.5, -1.1)
    handles = [axes.get_legend_handles_labels() for axes in panels[: len(names)]]
    legend = {words: handle for pair in handles for handle, words in zip(*pair, strict=True)}
    figure.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)


def _draw_panel(axes: Axes, table: pd.DataFrame, rows: Sequence[str]) -> None:
    """Draw one data set: the teacher as a dotted line with its interval shaded, and a line for each row."""
    axes.axvline(0, color="black", linewidth=1)
    teachers = table[table["row"] == TEACHER]
    for _, teacher in teachers.drop_duplicates("difference").iterrows():
        colour = LABELS[teacher["labels"]][1]
        axes.axvline(teacher["difference"], color=colour, linewidth=1, linestyle=":")
        axes.axvspan(teacher["difference_low"], teacher["difference_high"], color=colour, alpha=0.06)
    axes.text(teachers["difference"].max(), -0.75, "teacher ", ha="right", fontsize=8)
    conditions = list(dict.fromkeys(table["labels"]))
    for number, labels in enumerate(conditions):
        words, colour, marker = LABELS[str(labels)]
        cells = table[(table["labels"] == labels) & table["row"].isin(rows)]
        offset = (number - (len(conditions) - 1) / 2) * min(0.24, 0.8 / len(conditions))
        heights = [rows.index(row) + offset for row in cells["row"]]
        low, high = (cells[f"difference_{end}"].fillna(cells["difference"]) for end in ("low", "high"))
        axes.hlines(heights, low, high, color=colour, linewidth=1.5)
        axes.plot(cells["difference"], heights, marker, color=colour, markersize=4.5, label=words)
    axes.set_xlabel("Dice points more than the student alone", fontsize=8)
    axes.tick_params(labelsize=8, labelbottom=True)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args(words)
    table = read_tables(TABLES)
    dice = table[table["metric"] == "dice"]
    print_summary(dice, f"{BASELINE}: its Dice, %")
    print("\n### Pairs of methods")
    print_summary(read_tables(PAIRS))
    print_details(table)
    draw_forest(dice, options.picture)


if __name__ == "__main__":
    main()
