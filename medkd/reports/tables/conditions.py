"""In which conditions the rows of a table were measured, and which of them are not the paper's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from medkd.runs import RunFolder

from .experiment import Experiment

__all__ = ["Conditions", "conditions"]

# shown always; what a paper states besides is shown where a paper stands beside the table
_SHOWN = ("image_size", "student_network", "student_width", "teacher_network", "teacher_width", "max_epochs")


class Conditions(NamedTuple):
    """Of one task."""

    phrases: list[str]
    """Such as ``max_epochs 100 (Teacher: 15; paper: 120)``."""
    as_published: bool
    """Whether all that the paper states is so in every row, and known; True where no paper stands beside the table."""


def conditions(experiment: Experiment, task: str) -> Conditions:
    """Read from the records that the runs of a task left; rows that have none say nothing."""
    published, kind = experiment.published, experiment.kinds.get(task, task)
    wanted = {} if published is None else dict(published.conditions)
    configs = {row: config for row, runs in experiment.runs[task].items() if (config := _record(runs))}
    found: dict[str, Mapping[str, Any]] = {}
    for name in dict.fromkeys((*_SHOWN, *wanted)):
        values = {row: _value(config, name, row == experiment.teacher) for row, config in configs.items()}
        found[name] = {row: value for row, value in values.items() if value is not None}
    parts = _parts(experiment.data.get(task))
    for part, count in parts.items():
        own = {row: config.get("training_cases") if part == "training" else None for row, config in configs.items()}
        found[f"{part} cases"] = {row: value or count for row, value in own.items()}
        if published is not None and part in published.cases.get(kind, {}):
            wanted[f"{part} cases"] = published.cases[kind][part]
    phrases = [_phrase(name, values, wanted.get(name)) for name, values in found.items() if values]
    unknown = [name for name in wanted if not found.get(name)]
    if not parts and published is not None and kind in published.cases and configs:
        phrases.append("numbers of cases unknown, the data set is no longer there")
        unknown.append("cases")
    as_published = all(value == wanted[name] for name in wanted for value in found.get(name, {}).values())
    return Conditions(phrases, as_published and not unknown)


def _phrase(name: str, values: Mapping[str, Any], paper: Any) -> str:
    texts = {row: _text(value) for row, value in values.items()}
    usual = Counter(texts.values()).most_common(1)[0][0]
    others = [f"{row}: {text}" for row, text in texts.items() if text != usual]
    if paper is not None and any(value != paper for value in values.values()):
        others.append(f"paper: {_text(paper)}")
    return f"{name} {usual}" + (f" ({'; '.join(others)})" if others else "")


def _text(value: Any) -> str:
    return " x ".join(map(str, value)) if isinstance(value, list) else str(value)


def _value(config: Mapping[str, Any], name: str, is_teacher: bool) -> Any:
    """None for what a run's record does not tell: the teacher's is told by its own."""
    if name.startswith("teacher_") and not is_teacher or name.startswith("student_") and is_teacher:
        return None
    if not name.endswith("_network"):
        return config.get(name)
    definition = config.get("network_def")
    if definition == "%teacher_def":
        definition = config["teacher_def"]
    return definition["_target_"].rpartition(".")[2] if isinstance(definition, dict) else None


def _record(runs: Mapping[int, Path]) -> dict[str, Any]:
    """Of one run of a row: its seeds have the same options."""
    return next(filter(None, (RunFolder(folder).read_config() for folder in runs.values())), {})


def _parts(data: Path | None) -> dict[str, int]:
    """Numbers of training and test cases of a prepared data set, nothing where it is no longer there."""
    file = None if data is None else Path(data) / "datalist.json"
    if file is None or not file.is_file():
        return {}
    listed = json.loads(file.read_text())
    return {part: len(listed[part]) for part in ("training", "test") if part in listed}
