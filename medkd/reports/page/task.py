"""The whole content of the page for one task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from medkd.io import class_colour_code
from medkd.reports.tables import Cost, Experiment, Report
from medkd.runs.results import collapsed_runs, read_rows

from .attention import Attention, attention
from .cases import ShownCase, choose_cases, mean_dice, open_data, shown_cases
from .colours import row_colours
from .correction import Correction, correction
from .curves import Line, Panel, curves
from .reliability import ReliabilityPlot, reliability_plots
from .runs import RunFacts, chosen_method, run_facts
from .scatter import CasePlot, case_plots, case_rows
from .sortable_tables import Table, task_tables_of, triplet
from .strips import StripPlot, forest_plot, run_plot
from .verdict import Verdict, verdict

__all__ = ["Limits", "TaskContent", "task_content"]

AGREEMENT = "agreement with the teacher (Dice)"


class Limits(NamedTuple):
    """Numbers that limit the size of a page; the page states them."""

    cases: int = 4
    """Cases of a task that are shown: the worst, the median and the best."""
    slices: int = 200
    """Of a volume: all with ground truth or prediction up to this number, else so many spread over them."""
    attention: int = 2
    """Cases with Grad-CAM."""
    listed: int = 200
    """Rows of the table of cases at most."""


@dataclass
class TaskContent:
    """The content of one task."""

    id: str
    name: str
    teacher: str | None
    baseline: str
    methods: list[str]
    """All rows except teacher and student alone."""
    chosen: str | None
    colours: dict[str, str]
    """Row -> CSS colour."""
    classes: dict[str, str]
    """Name of a class -> CSS colour."""
    tables: list[Table]
    triplets: list[list[tuple[str, dict[str, str]]]]
    """Each table transposed, see `triplet`."""
    runs: list[RunFacts]
    collapsed: list[str]
    """Runs that have ended and predict almost nothing."""
    run_plot: StripPlot | None
    verdicts: dict[str, list[Verdict]]
    """Class -> verdict on each method."""
    forests: dict[str, StripPlot]
    """Class -> forest plot of the differences to the student alone."""
    data: str
    """Name of the data set's folder."""
    case_plots: list[CasePlot]
    case_titles: list[str]
    case_rows: list[tuple[str, list[float | None]]]
    cases_listed_of: int
    order: str
    """The row whose worst cases are shown."""
    shown_runs: dict[str, RunFacts]
    """Row -> run whose predictions and Grad-CAM are shown."""
    cases: list[ShownCase]
    case_notes: list[str]
    reliability: list[ReliabilityPlot]
    corrections: list[Correction]
    attention: list[Attention]
    attention_notes: list[str]
    target: str
    """Name of the class that Grad-CAM is of."""
    panels: list[Panel]
    legend: list[Line]
    without_events: list[str]
    is_agreement: bool = False
    """Whether a teacher's label maps stand in the place of labels."""

    @property
    def score(self) -> str:
        """What the scores of cases are called."""
        return AGREEMENT if self.is_agreement else "Dice"

    @property
    def truth(self) -> str:
        """What the label maps are called that runs are compared with."""
        return "teacher's label map" if self.is_agreement else "ground truth"

    @property
    def failed(self) -> list[RunFacts]:
        """Runs that have not ended."""
        return [run for run in self.runs if not run.ended]

    @property
    def calibrated(self) -> list[str]:
        """Rows with a line in a reliability diagram."""
        return list(dict.fromkeys(line.row for plot in self.reliability for line in plot.lines))

    @property
    def rows(self) -> list[str]:
        """Teacher, student alone, then the methods."""
        return [*filter(None, (self.teacher, self.baseline)), *self.methods]


def task_content(experiment: Experiment, report: Report, task: str, limits: Limits) -> TaskContent:
    """Collect the content of one task. A sentence says what is missing."""
    facts = [run for run in run_facts(experiment) if run.task == task]
    rows = list(experiment.runs[task])
    teacher = experiment.teacher if experiment.teacher in rows else None
    baseline = experiment.baseline if experiment.baseline in rows else ""
    methods = [row for row in rows if row not in (teacher, baseline)]
    cases = read_rows(experiment.runs[task])
    # the rows of a case are in the order of the classes
    names = dict.fromkeys(str(name) for table in cases.values() for name in table["class"])
    classes = {name: class_colour_code(value) for value, name in enumerate(names, 1)}
    chosen = chosen_method(experiment, facts, task)
    tables = task_tables_of(report, task)
    shown_runs = _finished_runs(rows, facts)
    order = next((row for row in (chosen, baseline, teacher, *rows) if row in shown_runs), "")
    cases_shown, notes, cams, cam_notes = _pictures(facts, cases, shown_runs, order, limits)
    titles, lines, listed_of = case_rows(cases, limits.listed)
    panels, legend, without = curves([run for run in facts if run.state != "no result"])
    score = AGREEMENT if any("reference" in table for table in cases.values()) else "Dice"
    costs = {row: cost for (of_task, row), cost in report.costs.items() if of_task == task}
    lines_of = _lines(report.results, task)
    return TaskContent(
        id=f"task{list(experiment.runs).index(task)}",
        name=task,
        teacher=teacher,
        baseline=baseline,
        methods=methods,
        chosen=chosen,
        colours=row_colours({row: _method(row, facts) for row in rows}, teacher, baseline),
        classes=classes,
        tables=tables,
        triplets=[triplet(table, experiment, methods) for table in tables],
        runs=facts,
        collapsed=_collapsed(cases),
        run_plot=run_plot(cases, task, score),
        verdicts={name: _verdicts(lines, methods, teacher, baseline, costs, score) for name, lines in lines_of.items()},
        forests={
            name: plot
            for name, lines in lines_of.items()
            if (plot := forest_plot(pd.DataFrame(lines.values()), f"{task} {name}".strip(), baseline, score))
            is not None
        },
        data=_data_name(experiment, task, facts),
        case_plots=case_plots(experiment, cases),
        case_titles=titles,
        case_rows=lines,
        cases_listed_of=listed_of,
        order=order,
        shown_runs=shown_runs,
        cases=cases_shown,
        case_notes=notes,
        reliability=reliability_plots(facts),
        corrections=[content for run in facts if (content := correction(run)) is not None],
        attention=cams,
        attention_notes=cam_notes,
        target=next(iter(classes), "target"),
        is_agreement=any("reference" in table for table in cases.values()),
        panels=panels,
        legend=legend,
        without_events=without,
    )


def _collapsed(cases: dict[str, pd.DataFrame]) -> list[str]:
    """Return row, seed and class of each collapsed run."""
    return [
        f"{row}, seed {seed}: {name}"
        for row, table in cases.items()
        for name, of_class in table.groupby("class", sort=False)
        for seed in collapsed_runs(of_class)
    ]


def _finished_runs(rows: Sequence[str], facts: Sequence[RunFacts]) -> dict[str, RunFacts]:
    """Return the first finished run of each row."""
    first = {row: next((run for run in facts if run.row == row and run.ended), None) for row in rows}
    return {row: run for row, run in first.items() if run is not None}


def _pictures(
    facts: Sequence[RunFacts],
    cases: dict[str, pd.DataFrame],
    shown_runs: dict[str, RunFacts],
    order: str,
    limits: Limits,
) -> tuple[list[ShownCase], list[str], list[Attention], list[str]]:
    """Return cases and Grad-CAM, each with sentences about what is missing."""
    if not order:
        return [], ["No run ended, so there is no prediction to look at."], [], []
    try:
        data = open_data([run for run in facts if run.row == order] + list(facts))
    except (ValueError, OSError) as error:
        sentence = f"The pictures need the data set, which could not be read: {str(error).rstrip('.')}."
        return [], [sentence], [], [sentence]
    ranks = choose_cases(mean_dice(cases[order]), data, limits.cases)
    tables = {row: cases[row][cases[row]["seed"] == run.seed] for row, run in shown_runs.items()}
    try:
        shown, notes = shown_cases(data, ranks, shown_runs, tables, limits.slices)
        cams, cam_notes = attention(data, list(ranks)[: limits.attention], shown_runs)
    except (ValueError, OSError, RuntimeError) as error:
        sentence = f"The images could not be read: {str(error).rstrip('.')}."
        return [], [sentence], [], [sentence]
    cam_notes += [f"{row}: no Grad-CAM, no run ended." for row in cases if row not in shown_runs]
    return shown, notes, cams, cam_notes


def _lines(results: pd.DataFrame, task: str) -> dict[str, dict[str, pd.Series]]:
    """Return class -> row -> Dice of one task in the long form of the tables."""
    of_task = results[(results["task"] == task) & (results["metric"] == "dice")]
    return {
        str(name): {str(line["row"]): line for _, line in of_class.iterrows()}
        for name, of_class in of_task.groupby("class", sort=False)
    }


def _verdicts(
    lines: dict[str, pd.Series],
    methods: Sequence[str],
    teacher: str | None,
    baseline: str,
    costs: dict[str, Cost],
    score: str,
) -> list[Verdict]:
    return [verdict(row, lines, teacher, baseline, costs, score) for row in methods if row in lines]


def _method(row: str, facts: Sequence[RunFacts]) -> str:
    return next((run.method for run in facts if run.row == row and run.method), "")


def _data_name(experiment: Experiment, task: str, facts: Sequence[RunFacts]) -> str:
    """Return the name of the data set's folder: of the experiment, or as a run has recorded it."""
    folder = experiment.data.get(task) or next((run.data for run in facts if run.data), "")
    return Path(folder).name
