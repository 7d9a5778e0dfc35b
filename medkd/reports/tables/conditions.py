"""The conditions in which the rows of a table were measured, and which of them are not those of the paper."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from medkd.runs.rebuild import network_class
from medkd.runs.results import trained_run

from .experiment import Experiment

__all__ = ["Conditions", "TrainingCases", "conditions", "training_cases"]

_NETWORK = "network"
# always shown; further conditions are shown if the paper beside the table states them
_SHOWN = ("image_size", "student_network", "student_width", "teacher_network", "teacher_width", "max_epochs")


class Conditions(NamedTuple):
    """The conditions of one task."""

    phrases: list[str]
    """Such as ``max_epochs 100 (Teacher: 15; paper: 120)``."""
    as_published: bool
    """Whether each condition that the paper states is known and equal in each row; True without a paper."""


class TrainingCases(NamedTuple):
    """The numbers of cases that the runs of a row learn from; None where no data set tells it any more."""

    labelled: int | None
    unlabelled: int | None


def training_cases(experiment: Experiment, task: str) -> dict[str, TrainingCases]:
    """Read from records and data list how many labelled and unlabelled cases each row of a task learns from.

    Returns:
        Row -> numbers. Rows without a record are left out.
    """
    records = {row: record for row, runs in experiment.runs[task].items() if (record := _read_record(runs))}
    # single runs have no data set beside them, but that of their record
    folders = {row: experiment.data.get(task, record.get("dataset_dir")) for row, record in records.items()}
    return {row: _training_cases(record, _count_cases(folders[row])) for row, record in records.items()}


def _training_cases(record: Mapping[str, Any], counts: Mapping[str, int]) -> TrainingCases:
    available, chosen = counts.get("training"), record.get("training_cases")
    labelled = available if chosen is None else chosen
    source = "none" if record.get("method") == "none" else record.get("unlabelled", "none")
    of_data = counts.get("unlabelled", 0) if counts else None
    rest = None if available is None or labelled is None else available - labelled
    both = None if of_data is None or rest is None else of_data + rest
    return TrainingCases(labelled, {"none": 0, "data": of_data, "rest": rest, "all": both}.get(source))


def conditions(experiment: Experiment, task: str) -> Conditions:
    """Read the conditions of a task from the records of its runs. Rows without a record are left out."""
    published, kind = experiment.published, experiment.kinds.get(task, task)
    paper = {} if published is None else dict(published.conditions)
    records = {row: record for row, runs in experiment.runs[task].items() if (record := _read_record(runs))}
    values: dict[str, Mapping[str, Any]] = {}
    for name in dict.fromkeys((*_SHOWN, *paper)):
        of_rows = {row: _value(record, name, row == experiment.teacher) for row, record in records.items()}
        values[name] = {row: value for row, value in of_rows.items() if value is not None}
    counts = _count_cases(experiment.data.get(task))
    used = {row: _training_cases(record, counts) for row, record in records.items()}
    for split in [name for name in ("training", "test") if name in counts]:
        values[f"{split} cases"] = {
            row: numbers.labelled if split == "training" else counts[split] for row, numbers in used.items()
        }
        if published is not None and split in published.cases.get(kind, {}):
            paper[f"{split} cases"] = published.cases[kind][split]
    if any(numbers.unlabelled for numbers in used.values()):
        values["unlabelled cases"] = {row: numbers.unlabelled for row, numbers in used.items()}
    phrases = [_phrase(name, of_rows, paper.get(name)) for name, of_rows in values.items() if of_rows]
    unknown = [name for name in paper if not values.get(name)]
    if not counts and published is not None and kind in published.cases and records:
        phrases.append("numbers of cases unknown, the data set no longer exists")
        unknown.append("cases")
    is_equal = all(value == paper[name] for name in paper for value in values.get(name, {}).values())
    return Conditions(phrases, is_equal and not unknown)


def _phrase(name: str, values: Mapping[str, Any], paper: Any) -> str:
    """Return the most common value of a condition, with other rows and the paper in brackets."""
    texts = {row: _text(value) for row, value in values.items()}
    usual = Counter(texts.values()).most_common(1)[0][0]
    others = [f"{row}: {text}" for row, text in texts.items() if text != usual]
    if paper is not None and any(value != paper for value in values.values()):
        others.append(f"paper: {_text(paper)}")
    return f"{name} {usual}" + (f" ({'; '.join(others)})" if others else "")


def _text(value: Any) -> str:
    if value is None:
        return "unknown"
    return " x ".join(map(str, value)) if isinstance(value, list) else str(value)


def _value(record: Mapping[str, Any], name: str, is_teacher: bool) -> Any:
    """Return a condition of a row; None for what its record does not state, as the teacher's width in that of a student."""
    if name.startswith("teacher_") and not is_teacher or name.startswith("student_") and is_teacher:
        return None
    if not name.endswith("_network"):
        return record.get(name)
    return record.get(_NETWORK) or None


def _read_record(runs: Mapping[int, Path]) -> dict[str, Any]:
    """Return the options of one run of a row, and its network's class: all seeds have the same."""
    for folder in map(trained_run, runs.values()):
        if content := folder.read_content():
            return {**folder.require_config(), _NETWORK: network_class(content)}
    return {}


def _count_cases(data: str | Path | None) -> dict[str, int]:
    """Return the numbers of training, unlabelled and test cases of a prepared data set; nothing if it no longer exists."""
    file = None if data is None else Path(data) / "datalist.json"
    if file is None or not file.is_file():
        return {}
    datalist = json.loads(file.read_text(encoding="utf-8"))
    return {split: len(datalist[split]) for split in ("training", "unlabelled", "test") if split in datalist}
