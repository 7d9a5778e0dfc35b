"""Print the table of the comparison `desk2`, and draw its forest plot: ``python benchmarks/which_method.py REPORT/table.csv``.

REPORT is the folder of ``medkd report --experiment``. The plot goes to docs/pictures/which_method.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

PICTURE = Path(__file__).parents[1] / "docs/pictures/which_method.png"
DATA = {
    "isic": "ISIC-2018",
    "cvc": "CVC-612",
    "lits_unet": "LiTS slices",
    "lits_fcn": "LiTS slices, no decoder",
    "sarcoma": "sarcoma, 3-D",
    "hippocampus": "hippocampus, 3-D",
}
# Ending of a task's name: its words, colour and marker.
LABELS = {
    "few": ("few labels", "#D55E00", "o"),
    "unlabelled": ("few labels, others unlabelled", "#0072B2", "s"),
    "seen": ("few labels, the teacher's images unlabelled", "#009E73", "D"),
    "full": ("all labels", "#555555", "^"),
}
BASELINE, TEACHER = "Student alone", "Teacher"


def read_table(path: Path) -> pd.DataFrame:
    """Return Dice of all cells that have runs, with the columns ``data`` (with the class, if of several) and ``labels``."""
    table = pd.read_csv(path)
    table = table[(table["metric"] == "dice") & (table["seeds"] > 0)].copy()
    table["data"], table["labels"] = (
        table["task"].str.rpartition("_")[0].map(DATA),
        table["task"].str.rpartition("_")[2],
    )
    several = table.groupby("data")["class"].transform("nunique") > 1
    table.loc[several, "data"] += ", " + table["class"]
    return table


def print_table(table: pd.DataFrame) -> None:
    """Print Dice points more than the student alone with their 95 % intervals; of the student alone its Dice."""
    columns = list(dict.fromkeys(zip(table["data"], table["labels"], strict=True)))
    cells = table.set_index(["row", "data", "labels"]).sort_index()
    print(
        f"| | {' | '.join(f'{data}, {LABELS[labels][0]}' for data, labels in columns)} |\n|---|{'---:|' * len(columns)}"
    )
    rows = list(dict.fromkeys(table["row"]))
    for row in sorted(rows, key=lambda row: row != BASELINE):
        texts = [_cell(cells.loc[(row, *column)], row) if (row, *column) in cells.index else "" for column in columns]
        print(f"| {row}{': its Dice, %' if row == BASELINE else ''} | {' | '.join(texts)} |")


def _cell(cell: pd.Series, row: str) -> str:
    if row == BASELINE:
        of_patients = pd.notna(cell.get("mean_over_patients"))  # absent where each case is a patient
        mean, std = ("mean_over_patients", "std_over_patients") if of_patients else ("mean", "std")
        return f"{cell[mean]:.1f}" + (f" ± {cell[std]:.1f}" if pd.notna(cell[std]) else "")
    interval = f" ({cell['difference_low']:+.1f} to {cell['difference_high']:+.1f})"
    text = f"{cell['difference']:+.1f}" + (interval if pd.notna(cell["difference_low"]) else "")
    if row != TEACHER and pd.notna(cell["gap_closed"]):
        text += f", {100 * cell['gap_closed']:.0f} %"
    return text


def draw_forest(table: pd.DataFrame, path: Path) -> None:
    """Draw the differences to the student alone with their intervals: a panel for each data set, a line for each row."""
    students = table[~table["row"].isin([BASELINE, TEACHER])]
    rows, names = list(dict.fromkeys(students["row"])), list(dict.fromkeys(students["data"]))
    size = (3.1 * len(names) + 1.6, 0.42 * len(rows) + 1.5)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        of_data = table[table["data"] == name]
        axes.axvline(0, color="black", linewidth=1)
        teacher = of_data.loc[of_data["row"] == TEACHER, "difference"].mean()
        axes.axvline(teacher, color="black", linewidth=1, linestyle=":")
        axes.text(teacher, -0.75, "teacher ", ha="right", fontsize=8)
        conditions = list(dict.fromkeys(of_data["labels"]))
        for number, labels in enumerate(conditions):
            words, colour, marker = LABELS[labels]
            cells = of_data[(of_data["labels"] == labels) & of_data["row"].isin(rows)]
            heights = [rows.index(row) + 0.24 * (number - (len(conditions) - 1) / 2) for row in cells["row"]]
            low, high = cells["difference_low"], cells["difference_high"]
            axes.hlines(
                heights, low.fillna(cells["difference"]), high.fillna(cells["difference"]), color=colour, linewidth=1.5
            )
            axes.plot(cells["difference"], heights, marker, color=colour, markersize=5, label=words)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("Dice points more than the student alone", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(rows)), rows)
    panels[0].set_ylim(len(rows) - 0.5, -1.1)
    legend = {words: handle for axes in panels for handle, words in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(
        legend.values(), legend.keys(), loc="outside lower center", ncols=len(legend), frameon=False, fontsize=9
    )
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="table.csv of medkd report")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args()
    table = read_table(options.table)
    print_table(table)
    draw_forest(table, options.picture)


if __name__ == "__main__":
    main()
