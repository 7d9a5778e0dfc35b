"""Notes below the tables of an experiment: costs of its networks, conditions, missing runs."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from medkd.runs import RunFolder
from medkd.runs.errors import one_line_errors
from medkd.runs.results import has_patients, read_rows, trained_run

from .conditions import conditions
from .cost import Cost, cost_of_run
from .experiment import Experiment
from .statistics import LEAST_SEEDS

__all__ = ["costs", "notes"]

# ids that the definition of a network can refer to
_NETWORK_IDS = (
    *("image_size", "student_architecture", "teacher_architecture"),
    *("student_width", "teacher_width", "teacher_layers"),
)


def costs(experiment: Experiment) -> tuple[dict[tuple[str, str], Cost], list[str]]:
    """Measure the network of one finished run of each row. Equal networks are built and measured once.

    Returns:
        (task, row) -> cost, and sentences about networks that could not be measured.
    """
    cost_of_row: dict[tuple[str, str], Cost] = {}
    measured: dict[str, Cost | None] = {}
    sentences = []
    for task, rows in experiment.runs.items():
        for row, runs in rows.items():
            folder = next((f for f in runs.values() if RunFolder(f).has_ended), None)
            if folder is None or not (record := trained_run(folder).read_content()):
                continue
            definition = str(record.get("network_def"))
            values = [record.get(name) for name in _NETWORK_IDS if name == "image_size" or f"@{name}" in definition]
            network = str([task, definition, values])
            if network not in measured:
                try:
                    measured[network] = cost_of_run(trained_run(folder).path, trust_record=experiment.trust_record)
                except (
                    Exception
                ) as error:  # a class or file that no longer exists must not remove results from the table
                    measured[network] = None
                    sentences.append(f"Cost of {row} ({task}) unknown: {one_line_errors(error) or error}.")
            if (cost := measured[network]) is not None:
                cost_of_row[task, row] = cost
    return cost_of_row, sentences


def notes(experiment: Experiment, titles: Iterable[str]) -> dict[str, list[str]]:
    """Return the sentences below each table.

    Args:
        experiment: what the tables are of.
        titles: of the tables: the task, or the task, a comma and the class, see `task_tables`.

    Returns:
        Title -> sentences; those of "" are about all tables.
    """
    sentences = {"": [*_general(experiment), *_on_request(experiment)]}
    for title in titles:
        task = title.split(", ")[0]
        sentences[title] = [
            *_conditions(experiment, task),
            *_patients(experiment, task),
            *_missing_runs(experiment, task),
        ]
    return sentences


def _general(experiment: Experiment) -> list[str]:
    sentences = [
        "Values are the mean over the cases of each run, then mean ± deviation over seeds; one run has no "
        "deviation. Differences are paired by seed and case; the teacher is taken as it is and compared with each "
        "student. 95 % interval: of the difference, by bootstrap over seeds and cases; of cases of one patient, all are "
        "resampled together. One seed has no interval, and that of two is wide: little is known of other seeds.",
        f"p: given from {LEAST_SEEDS} seeds on. Two-sided Wilcoxon signed-rank test paired by case, each case the mean over "
        "its seeds; in brackets adjusted by Benjamini and Hochberg's false discovery rate over the rows of the table. It tests "
        "whether these networks differ on other cases, not whether other seeds would: for that read the interval.",
        "Gap closed: share of the difference between student alone and teacher, with its 95 % interval from the same "
        "bootstrap; left out where the interval of that difference is not above zero. Collapsed: runs that miss the class in "
        "at least nine of ten cases; they are part of the mean. Still rising: runs whose validation was still rising at the "
        "last epochs, by more than 0.005 of Dice in the last tenth; more epochs may change their rank. Runs that were trained "
        "before this was recorded are not counted.",
        "Dice, IoU: overlap; RVD: relative volume difference, |RVD| its size; HD95: 95th percentile of the "
        "distances between the surfaces, in mm (for pictures in pixels), over the cases that hold the class "
        "and have a prediction of it; if these are not all cases, their number is beside the value.",
        "GMACs (10⁹ multiply-adds) and milliseconds: one forward pass of one slice, or picture, of the "
        "network's input size; for a 3-D network that of a window, divided by its slices, without overlap. "
        f"Measured on {_processor()}.",
    ]
    if any("reference" in table for rows in experiment.runs.values() for table in _tables(rows)):
        sentences.append(
            "Agreement with the teacher: the data set has no labels, and the teacher's label maps stand in their place, also "
            "where a sentence here names the ground truth or a class that a case holds."
        )
    if experiment.published is not None:
        sentences.append(f"Published: {experiment.published.source}.")
    return sentences


def _on_request(experiment: Experiment) -> list[str]:
    """Return the sentences about metrics that some runs have on request."""
    tables = [table for rows in experiment.runs.values() for table in _tables(rows)]
    columns = {column for table in tables for column in table}
    sentences = []
    if "nsd" in columns:
        found = sorted(
            {float(t) for table in tables if "nsd_tolerance" in table for t in table["nsd_tolerance"].dropna()}
        )
        different = " Runs have different tolerances: do not compare them." if len(found) > 1 else ""
        sentences.append(
            "NSD: share of both surfaces within a tolerance of the other one, "
            f"{' or '.join(f'{tolerance:g}' for tolerance in found)} mm (for pictures pixels); 0 without a prediction."
            f"{different}"
        )
    if "ece" in columns:
        sentences.append(
            "ECE: expected calibration error of the class's probability in 20 bins over all voxels of a case, also of cases "
            "without the class; lower is better."
        )
    if "lesion_sensitivity" in columns:
        sentences.append(
            "Lesion sensitivity: share of the connected components of the ground truth that the prediction touches; lesion "
            "precision: share of the predicted components that touch the ground truth."
        )
    if "dice_raw" in columns:
        sentences.append("Dice before removal: before small connected components were removed from the predictions.")
    return sentences


def _conditions(experiment: Experiment, task: str) -> list[str]:
    summary = conditions(experiment, task)
    mark = "" if summary.as_published else "† Not the paper's conditions: do not compare with its values. "
    return [f"{mark}Conditions: {', '.join(summary.phrases)}."] if summary.phrases else []


def _tables(rows: Mapping[str, Mapping[int, Path]]) -> list[pd.DataFrame]:
    """Return the metrics of all runs that have ended."""
    folders = [RunFolder(folder) for runs in rows.values() for folder in runs.values()]
    return [table for folder in folders if folder.has_ended and (table := folder.read_metrics()) is not None]


def _patients(experiment: Experiment, task: str) -> list[str]:
    """Say over what means and tests are where several cases are of one patient."""
    cases = list(read_rows(experiment.runs[task]).values())
    if any(map(has_patients, cases)):
        return [
            "Several cases are of one patient. Columns that say so are means over patients, each the mean over its cases; "
            "differences, their intervals, p (Wilcoxon test paired by patient) and the gap closed are over patients too. All "
            "others are means over cases. table.csv has the means over patients of all metrics."
        ]
    if any("patient" in table for table in _tables(experiment.runs[task])):
        return [
            "All test cases are of one patient: intervals and p are over its cases and tell nothing about other patients."
        ]
    return []


def _processor() -> str:
    """Return the name of the processor, which Linux states exactly, and the number of threads of torch."""
    import torch  # the check of a plan needs none

    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {torch.get_num_threads()} thread(s)"


def _missing_runs(experiment: Experiment, task: str) -> list[str]:
    rows = []
    for row, runs in experiment.runs[task].items():
        seeds = [str(seed) for seed, folder in runs.items() if not RunFolder(folder).has_ended]
        if seeds:
            rows.append(f"{row} (seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)})")
    return [f"Runs that did not end: {'; '.join(rows)}."] if rows else []
