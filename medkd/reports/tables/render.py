"""Render results as Markdown, LaTeX and CSV."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd

from medkd.runs.errors import rounded
from medkd.runs.escapes import escape_csv, markdown_cell, markdown_text
from medkd.runs.files import write_atomically

from .conditions import TrainingCases
from .cost import Cost
from .experiment import ON_REQUEST
from .published import digits

__all__ = ["task_tables", "write_tables"]

NAMES = {
    "dice": "Dice, %",
    "iou": "IoU, %",
    "rvd": "RVD",
    "abs_rvd": "|RVD|",
    "hd95": "HD95",
    "nsd": "NSD, %",
    "ece": "ECE, %",
    "lesion_sensitivity": "lesion sensitivity, %",
    "lesion_precision": "lesion precision, %",
    "dice_raw": "Dice before removal, %",
}
_P, _P_ECE = "p (adjusted)", "p of ECE (adjusted)"
_MINUTES = "minutes of training"
# columns that no table has without a value: with few seeds there is no p, older and resumed runs do not tell their minutes
_OPTIONAL = (_P, _P_ECE, _MINUTES)


def task_tables(
    table: pd.DataFrame,
    costs: Mapping[tuple[str, str], Cost],
    baseline: str,
    compared: Collection[str] = (),
    cases: Mapping[str, Mapping[str, TrainingCases]] | None = None,
) -> dict[str, pd.DataFrame]:
    """Render results as tables of text, one row for each method.

    Args:
        table: of `medkd.reports.tables.results`.
        costs: (task, row) -> cost of its network.
        baseline: title of the row that differences are to; "" for no differences.
        compared: tasks with the conditions of the paper. In all others a dagger marks published values.
        cases: task -> row -> numbers of cases that it learns from. They have columns where rows differ in unlabelled ones.

    Returns:
        Title -> table. The title is the task, with the class if there are several.
    """
    tables = {}
    for task, of_task in table.groupby("task", sort=False):
        for name, of_class in of_task.groupby("class", sort=False):
            title = f"{task}, {name}" if of_task["class"].nunique() > 1 else str(task)
            paper = "paper" if task in compared else "paper†"
            printed = set(of_class.loc[of_class["published"] != "", "metric"])
            rows = {
                row: _row(group, costs.get((str(task), str(row))), baseline, {metric: paper for metric in printed})
                for row, group in _by_row(of_class)
            }
            whole = pd.DataFrame.from_dict(_with_cases(rows, (cases or {}).get(str(task), {})), orient="index")
            tables[title] = whole.drop(columns=[name for name in whole if name in _OPTIONAL and not whole[name].any()])
    return tables


def _with_cases(rows: Mapping[str, dict[str, str]], cases: Mapping[str, TrainingCases]) -> dict[str, dict[str, str]]:
    """Put the numbers of labelled and unlabelled cases before the results, where rows differ in unlabelled ones."""
    if len({numbers.unlabelled for numbers in cases.values()}) < 2:
        return dict(rows)
    empty = TrainingCases(None, None)
    return {
        row: {f"{name} cases": "" if n is None else str(n) for name, n in cases.get(row, empty)._asdict().items()}
        | texts
        for row, texts in rows.items()
    }


def _by_row(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(row), group.set_index("metric")) for row, group in table.groupby("row", sort=False)]


def _row(group: pd.DataFrame, cost: Cost | None, baseline: str, printed: Mapping[str, str]) -> dict[str, str]:
    """Render one row. ``printed``: metric with a published value in any row -> title of its column."""
    row: dict[str, str] = {}
    for index, cell in group.iterrows():
        metric = str(index)
        name = NAMES.get(metric, metric) + (f", {cell['unit']}" if cell.get("unit") else "")
        if cell.get("reference") == "teacher":
            name = f"agreement with the teacher: {name}"
        if metric in printed:
            row[f"{name} ({printed[metric]})"] = cell["published"]
        row[name] = _measured(cell, metric, group["cases"].max())
        if metric == group.index[0] and _is_by_patient(cell):
            over_patients = _plus_minus(cell["mean_over_patients"], cell["std_over_patients"], f".{digits(metric)}f")
            row[f"{name} over patients"] = over_patients
    first = group.iloc[0]
    if baseline:
        row |= _difference(str(group.index[0]), first, baseline, _P)
        for _, cell in group.iloc[1:][group.index[1:] == "ece"].iterrows():
            row |= _difference("ece", cell, baseline, _P_ECE)
        row["gap closed (95 % interval)"] = _gap_closed(first)
    row["runs"] = _runs(first)
    row["cases"] = f"{first['cases']:.0f}"
    if _is_by_patient(first):
        row["patients"] = f"{first['patients']:.0f}"
    row[_MINUTES] = "" if pd.isna(first["minutes"]) else rounded(first["minutes"])
    row["parameters"] = "" if cost is None else f"{cost.parameters:,}"
    row["GMACs per slice"] = "" if cost is None else rounded(cost.macs / 1e9)
    row["ms per slice"] = "" if cost is None else f"{cost.milliseconds:.1f}"
    return row


def _runs(cell: pd.Series) -> str:
    """Render how many runs have ended, and how many of them collapsed or were still rising."""
    count = f"{cell['seeds']:.0f}" + (f" of {cell['planned']:.0f}" if cell["seeds"] < cell["planned"] else "")
    marks = {"collapsed": cell["collapsed"], "still rising": cell["still_rising"]}
    words = ", ".join(f"{number:.0f} {mark}" for mark, number in marks.items() if number)
    return f"{count} ({words})" if words else count


def _difference(metric: str, cell: pd.Series, baseline: str, title_of_p: str) -> dict[str, str]:
    """Render the difference of a row to the baseline, its interval, and its p value."""
    form = f"+.{digits(metric)}f"
    name = f"{NAMES[metric]}{' over patients' if _is_by_patient(cell) else ''} minus {baseline}"
    low, high = (f"{cell[f'difference_{end}']:{form}}" for end in ("low", "high"))
    return {
        name: _plus_minus(cell["difference"], cell["difference_std"], form),
        f"95 % interval{' of ECE' if metric == 'ece' else ''}": "" if "nan" in low else f"{low} to {high}",
        title_of_p: "" if pd.isna(cell["p"]) else f"{cell['p']:.2g} ({cell['p_adjusted']:.2g})",
    }


def _gap_closed(cell: pd.Series) -> str:
    if pd.isna(cell["gap_closed"]):
        return ""
    low, high = (f"{cell[f'gap_closed_{end}']:.0%}" for end in ("low", "high"))
    return f"{cell['gap_closed']:.0%} ({low} to {high})"


def _is_by_patient(cell: pd.Series) -> bool:
    """Return whether a result is of a task with several cases of a patient."""
    return not pd.isna(cell.get("patients"))


def _measured(cell: pd.Series, metric: str, cases: int) -> str:
    """Render mean and deviation; say that no run has ended, and how many cases a mean over a part of the cases is of."""
    if not cell["seeds"]:
        return "no run ended"
    if pd.isna(cell["mean"]):
        return "not measured" if metric in ON_REQUEST else "no case"
    least, most = cell["cases_least"], cell["cases"]
    count = f" (of {least}{f' to {most}' if most > least else ''} cases)" if least < cases else ""
    return _plus_minus(cell["mean"], cell["std"], f".{digits(metric)}f") + count


def _plus_minus(mean: float, deviation: float, form: str) -> str:
    if pd.isna(mean):
        return ""
    return f"{mean:{form}}" + ("" if pd.isna(deviation) else f" ± {deviation:{form.lstrip('+')}}")


def write_tables(
    folder: Path, title: str, tables: Mapping[str, pd.DataFrame], table: pd.DataFrame, notes: Mapping[str, list[str]]
) -> str:
    """Write ``table.md``, ``table.tex`` and ``table.csv`` (the long form, unrounded).

    Args:
        folder: of the files.
        title: of the experiment.
        tables: of `task_tables`.
        table: of `medkd.reports.tables.results`.
        notes: title of a table -> sentences below it; those of "" stand below the title of the experiment.

    Returns:
        The Markdown.
    """
    parts = [f"# {markdown_text(title)}", *map(markdown_text, notes.get("", []))]
    for name, task_table in tables.items():
        parts += [f"## {markdown_text(name)}", _markdown(task_table)]
        parts += [f"- {markdown_text(note)}" for note in notes.get(name, [])]
    text = "\n\n".join(parts) + "\n"
    general = notes.get("", [])
    latex = "\n".join(
        _latex(title, name, task_table, [*notes.get(name, []), *general]) for name, task_table in tables.items()
    )
    write_atomically(folder / "table.md", lambda path: path.write_text(text, encoding="utf-8"))
    write_atomically(folder / "table.tex", lambda path: path.write_text(latex, encoding="utf-8"))
    write_atomically(folder / "table.csv", lambda path: _without_formulas(table).to_csv(path, index=False))
    return text


def _markdown(table: pd.DataFrame) -> str:
    """Render Markdown with the cells as text: as numbers they would lose trailing zeros and plus signs."""
    whole = table.map(markdown_cell).rename(index=markdown_cell, columns=markdown_cell)
    return whole.to_markdown(disable_numparse=True, colalign=("left", *["right"] * table.shape[1]))


def _without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    return table.map(lambda cell: escape_csv(cell) if isinstance(cell, str) else cell)


def _latex(experiment: str, title: str, table: pd.DataFrame, notes: list[str]) -> str:
    """Render a floating table with its notes; it needs the packages booktabs and graphicx."""
    escaped = table.map(_escape).rename(index=_escape, columns=_escape)
    body = escaped.to_latex(escape=False, column_format="l" + "r" * table.shape[1])
    label = "".join(c if c.isalnum() else "-" for c in title.lower())
    return "\n".join(
        [
            r"\begin{table}[t]",
            rf"\caption{{{_escape(experiment)}: {_escape(title)}.}}\label{{tab:{label}}}",
            r"\resizebox{\textwidth}{!}{%",
            body.strip(),
            "}",
            rf"\par\smallskip\footnotesize {_escape(' '.join(notes))}",
            r"\end{table}",
            "",
        ]
    )


def _escape(text: object) -> str:
    special = {
        "\\": r"\textbackslash{}",
        "±": r"$\pm$",
        "†": r"\dag{}",
        "⁹": r"$^9$",
        "|": r"$|$",
        "~": r"\textasciitilde{}",
        "^": r"\^{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        # behind the end of a row they would be an option of it
        "[": "{[}",
        "*": "{*}",
    }
    special |= {character: f"\\{character}" for character in "&%$#_{}"}
    return "".join(special.get(character, character) for character in " ".join(str(text).split()))
