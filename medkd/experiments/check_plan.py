"""Check the content of a plan: names, values, methods, and the options of each run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from medkd.methods import names as method_names
from medkd.reports.tables import ON_REQUEST, load_published
from medkd.runs.errors import did_you_mean

from .bundles import Bundles
from .external_teacher import data_problems
from .places import expected_place, misplaced_options
from .run_options import ASSISTANTS, check_runs, row_folder

__all__ = ["check_data_sets", "check_form", "check_plan"]

_METRICS = ("dice", "iou", "rvd", "abs_rvd", "hd95", *ON_REQUEST)
_TASK_NAME = re.compile(r"\w[\w.-]*")
_SEEDS, _NAMES, _OPTIONS = "a list of different whole numbers", "a list of names", "names and values"
_SOFT_LABELS = "online or cached"
# name -> what its value must be
_ROW = {"role": "teacher", "method": "text", "options": _OPTIONS, "seeds": _SEEDS, "soft_labels": _SOFT_LABELS}
_KINDS = dict.fromkeys(("options", "teacher", *ASSISTANTS, "distilled"), _OPTIONS)
_TASK = {
    "task": "text",
    "data": "text",
    "mode": "2d or 3d",
    "overlay": "text",
    "seeds": _SEEDS,
    "rows": _NAMES,
    "team_of": "text",
    **_KINDS,
}
_PLAN = {
    "title": "text",
    "published": "text",
    "metrics": _NAMES,
    "baseline": "text",
    "seeds": _SEEDS,
    "teacher_seeds": _SEEDS,
    "soft_labels": _SOFT_LABELS,
    "tasks": _OPTIONS,
    "rows": _OPTIONS,
    **_KINDS,
}
_REQUIRED = ("title", "metrics", "seeds", "tasks", "rows")


def check_plan(content: dict[str, Any], file: str, bundles: Bundles, check_options: bool = True) -> None:
    """Check a whole plan before anything runs, and tell all its problems at once.

    Args:
        content: of the plan. A task or row without a value ("student:") gets an empty dictionary.
        file: name of the plan for the message.
        bundles: the bundles of the tasks.
        check_options: whether to check the options of each run too.

    Raises:
        ValueError: for missing, unknown and wrong names and values; unknown tasks, methods, metrics and published tables;
            rows that do not exist or share a folder; names of tasks that cannot be folders; options and arguments of methods
            that a run does not take. The message names the row of each problem.
    """
    # the later checks read what the earlier ones have checked
    problems = list(_check_form(content)) or list(_check_names(content, bundles))
    if check_options and not problems:
        problems = list(check_runs(content, bundles.check_options))
    if problems:
        raise ValueError(f"{file}: {'; '.join(problems)}")


def check_data_sets(content: dict[str, Any], file: str, bundles: Bundles, folders: Mapping[str, str]) -> None:
    """Check that the runs of a checked plan can learn from its data sets, and that their labels are there where they are read.

    Args:
        content: of the plan.
        file: name of the plan for the message.
        bundles: the bundles of the tasks.
        folders: task -> prepared data set.

    Raises:
        ValueError: names all problems, with their rows.
    """
    problems = list(data_problems(content, folders)) or list(check_runs(content, bundles.check_options, folders))
    if problems:
        raise ValueError(f"{file}: {'; '.join(problems)}")


def check_form(content: dict[str, Any], file: str) -> None:
    """Check names and kinds of values of a plan, without its bundles.

    Args:
        content: of the plan.
        file: name of the plan for the message.

    Raises:
        ValueError: names all problems.
    """
    if problems := list(_check_form(content)):
        raise ValueError(f"{file}: {'; '.join(problems)}")


def _check_form(content: dict[str, Any]) -> Iterator[str]:
    """Yield the problems of names and kinds of values."""
    if problems := list(_check_values("plan", content, _PLAN, _REQUIRED)):
        yield from problems
        return
    for section, kinds in (("tasks", _TASK), ("rows", _ROW)):
        for name, settings in content[section].items():
            content[section][name] = settings = {} if settings is None else settings
            yield from _check_values(f"{section.removesuffix('s')} {name}", settings, kinds)


def _check_values(owner: str, settings: Any, kinds: Mapping[str, str], required: tuple[str, ...] = ()) -> Iterator[str]:
    if not isinstance(settings, dict):
        yield f"{owner}: found {settings!r}, expected {_OPTIONS}"
        return
    if missing := [name for name in required if not settings.get(name)]:
        yield f"{owner}: no {', '.join(missing)}"
    for name, value in settings.items():
        if name not in kinds:
            place, hint = expected_place(str(name), value), did_you_mean(str(name), kinds, count=1)
            yield f"{owner}: unknown {name!r}" + (f", expected {place}" if place else f" ({hint})" if hint else "")
        elif (value is not None or name not in required) and not _is_of_kind(value, kinds[name]):
            yield f"{owner}: {name}: found {value!r}, expected {kinds[name]}"


def _is_of_kind(value: Any, kind: str) -> bool:
    if kind == _SEEDS:
        is_whole = isinstance(value, list) and all(type(seed) is int and seed >= 0 for seed in value)
        return bool(value) and is_whole and len(set(value)) == len(value)
    if kind == _NAMES:
        return isinstance(value, list) and all(isinstance(name, str) for name in value)
    if kind == _OPTIONS:
        return isinstance(value, dict) and all(isinstance(name, str) for name in value)
    return isinstance(value, str) and (kind == "text" or value in kind.split(" or "))


def _check_names(content: Mapping[str, Any], bundles: Bundles) -> Iterator[str]:
    """Yield the problems of names: those of folders, and those that must exist."""
    rows: Mapping[str, Mapping[str, Any]] = content["rows"]
    parts = [("plan", content), *((f"task {name}", settings) for name, settings in content["tasks"].items())]
    for owner, part in [*parts, *((f"row {row}", settings) for row, settings in rows.items())]:
        for section in _KINDS:
            yield from misplaced_options(owner, section, part.get(section) or {})
    folders: dict[str, str] = dict.fromkeys(("teacher", *ASSISTANTS), "of the team")
    for row, settings in rows.items():
        yield from _among(f"row {row}: method", [settings.get("method", "none")], method_names())
        if settings.get("role") and len(settings) > 1:
            yield f"row {row}: the settings of a teacher are expected under `teacher:`, not in its row"
        if not row_folder(row):
            yield f"row {row!r}: expected a letter or a digit, as the name is that of a folder"
        if "role" not in settings and (other := folders.setdefault(row_folder(row), row)) != row:
            yield f"rows {other!r} and {row!r} would have one folder"
    for name, settings in content["tasks"].items():
        if not _TASK_NAME.fullmatch(name):
            yield f"task {name!r}: expected the name of a folder: letters, digits, ., - and _"
        yield from _among(f"task {name}", [settings.get("task", name)], bundles.tasks)
        yield from _among(f"task {name}: rows", settings.get("rows", ()), rows)
        if "team_of" in settings:
            owners = [task for task, spec in content["tasks"].items() if "team_of" not in spec]
            yield from _among(f"task {name}: team_of", [settings["team_of"]], owners)
            if own := [kind for kind in ("teacher", *ASSISTANTS) if kind in settings]:
                yield f"task {name}: {own[0]}: the task has the team of {settings['team_of']}: expected its settings there"
    yield from _among("metrics", content["metrics"], _METRICS)
    yield from _among("baseline", [content["baseline"]] if "baseline" in content else [], rows)
    if "published" in content:
        try:
            load_published(content["published"])
        except ValueError as error:
            yield str(error)


def _among(owner: str, names: Iterable[str], options: Iterable[str]) -> Iterator[str]:
    options = list(map(str, options))
    for name in names:
        if name not in options:
            hint = did_you_mean(name, options, count=1)
            yield f"{owner}: found {name!r}, {hint + ' ' if hint else ''}expected one of {', '.join(options)}"
