"""A teacher that a plan does not train: `teacher: {teacher: PATH}` of the plan or of a task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medkd.runs.folder import RunFolder
from medkd.runs.json_files import read_object

__all__ = [
    "FORM",
    "absolute_paths",
    "data_problems",
    "evaluation_options",
    "external_paths",
    "external_teacher",
    "is_evaluated",
]

FORM = "`teacher: {teacher: PATH}` of the plan or of a task"
_TEACHER = "teacher"
# Options of the measurement: all others of an evaluation are those of the model's training.
_EVALUATION = (
    *("device", "metrics", "nsd_mm", "protocol", "largest_component", "min_volume", "num_workers"),
    *("slice_batch", "window_batch", "overlap"),
)


def external_teacher(content: Mapping[str, Any], task: str) -> dict[str, Any]:
    """Return the options by which students learn from a teacher that the plan does not train.

    Args:
        content: of the plan.
        task: name of the task in the plan.

    Returns:
        ``teacher`` and how it is read (``teacher_classes``, ...); empty where the plan trains its teacher. Options of a
        training, which the plan may hold for other tasks, are left out.

    Example:
        >>> tasks = {"scans": {"teacher": {"teacher": "/nets/nnunet", "teacher_classes": [0, 1]}}, "labelled": {}}
        >>> content = {"teacher": {"max_epochs": 10}, "tasks": tasks}
        >>> external_teacher(content, "scans"), external_teacher(content, "labelled")
        ({'teacher': '/nets/nnunet', 'teacher_classes': [0, 1]}, {})
    """
    owner = content["tasks"][task].get("team_of", task)
    options = {**content.get(_TEACHER, {}), **content["tasks"][owner].get(_TEACHER, {})}
    if options.get(_TEACHER) is None:
        return {}
    return {name: value for name, value in options.items() if value is not None and _is_of_use(name)}


def external_paths(part: Mapping[str, Any]) -> list[str]:
    """Return the path of the external teacher of a plan or a task, or those of an ensemble; none without such a teacher."""
    paths = part.get(_TEACHER, {}).get(_TEACHER, [])
    return [paths] if isinstance(paths, str) else list(paths or [])


def _is_of_use(name: str) -> bool:
    return name.startswith(_TEACHER) and name != "teacher_learning_rate"


def evaluation_options(options: Mapping[str, Any], teacher: str) -> dict[str, Any]:
    """Return the options of the evaluation of a teacher, of those of all runs of a task."""
    return {"model": teacher, **{name: value for name, value in options.items() if name in _EVALUATION}}


def is_evaluated(teacher: Any) -> bool:
    """Return whether `medkd evaluate` measures a teacher: one that medkd trained, with its record."""
    return isinstance(teacher, str) and RunFolder.of_model(teacher).config.is_file()


def absolute_paths(options: Mapping[str, Any], folder: Path, owner: str) -> dict[str, Any]:
    """Return the options of a teacher with an absolute path: Snakemake runs in the folder of the experiment.

    Args:
        options: the section ``teacher`` of a plan or task.
        folder: to which paths are relative.
        owner: of the section, for the message.

    Raises:
        ValueError: for a path that does not exist, and for options of a training beside it.
    """
    teacher = options.get(_TEACHER)
    if teacher is None:
        return dict(options)
    if not isinstance(teacher, str | list) or not all(isinstance(path, str) for path in teacher):
        raise ValueError(f"{owner}: teacher: teacher: found {teacher!r}, expected a path, or a list of paths")
    if unused := [name for name in options if not _is_of_use(str(name))]:
        raise ValueError(f"{owner}: teacher: {unused[0]}: has no effect: the teacher {teacher} is not trained")
    paths = [folder / path for path in (teacher if isinstance(teacher, list) else [teacher])]
    if missing := [path for path in paths if not path.exists()]:
        raise ValueError(f"{owner}: teacher: teacher: {missing[0]}: no such file or folder")
    absolute = [str(path.absolute()) for path in paths]
    return {**options, _TEACHER: absolute if isinstance(teacher, list) else absolute[0]}


def data_problems(content: Mapping[str, Any], folders: Mapping[str, str]) -> Iterator[str]:
    """Yield the problems of tasks whose data sets have no labels: nothing can be trained or measured by labels there.

    Args:
        content: of the plan.
        folders: task -> prepared data set.
    """
    for task, folder in folders.items():
        if not (read_object(Path(folder) / "datalist.json") or {}).get("without_labels"):
            continue
        rows = {row: content["rows"][row] for row in content["tasks"][task].get("rows", content["rows"])}
        alone = [row for row, settings in rows.items() if settings.get("method", "none") == "none"]
        if not external_teacher(content, task):
            yield (
                f"task {task}: {folder}: found a data set without labels, expected a teacher that is trained already: {FORM}, "
                "and `distilled: {training_cases: 0, unlabelled: all}`"
            )
        elif alone:
            yield (
                f"task {task}: row {alone[0]}: found a data set without labels, expected rows with a method alone: what is "
                "measured is the agreement with their teacher"
            )
