"""What the command line changes of a plan: some of its tasks and rows, other seeds, more options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from medkd.runs.errors import UsageError

from .external_teacher import absolute_paths, external_teacher
from .run_options import merge_options

__all__ = ["change_plan", "notes_of_changes"]

_NAMED = 4  # runs that a note names


def change_plan(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan with what the command line changes.

    Args:
        content: of the plan; its tasks and rows are dictionaries.
        changes: ``tasks`` and ``rows``: names to keep; ``seeds``: the seeds of all runs; ``options`` and ``teacher``: options
            that are added; a ``teacher`` with a path takes the place of those that the plan trains.

    Raises:
        ValueError: for a task or row that the plan does not have, if no task has any of the rows, or for a task whose teacher
            is that of a task which is left out.
    """
    changed = dict(content)
    for section in ("tasks", "rows"):
        if names := changes.get(section):
            if unknown := [name for name in names if name not in content[section]]:
                options = list(content[section])
                raise UsageError(f"--{section}: {unknown[0]!r} is not in the plan, expected some of {options}")
            changed[section] = {name: spec for name, spec in content[section].items() if name in names}
    changed["tasks"] = _tasks_with_rows(changed["tasks"], changed["rows"])
    _check_teams(changed["tasks"])
    if content.get("baseline") not in changed["rows"]:
        changed.pop("baseline", None)
    if seeds := changes.get("seeds"):
        changed["seeds"] = list(seeds)
        for section in ("tasks", "rows"):
            changed[section] = {name: _without(spec, "seeds") for name, spec in changed[section].items()}
    if "options" in changes:
        changed["options"] = {**content.get("options", {}), **changes["options"]}
    if teacher := changes.get("teacher"):
        if "teacher" in teacher:  # one that is not trained: how the plan trains its own does not matter
            teacher = absolute_paths(teacher, Path(), "--teacher")
            changed["tasks"] = {name: _without(spec, "teacher") for name, spec in changed["tasks"].items()}
            changed["teacher"] = teacher
        else:
            changed["teacher"] = {**content.get("teacher", {}), **teacher}
    return changed


def notes_of_changes(
    content: Mapping[str, Any], runs: Iterable[tuple[str, str]], changes: Mapping[str, Any]
) -> Iterator[str]:
    """Yield a note for each option of the command line that some runs do not take, as the plan sets it more specifically.

    Args:
        content: of the plan, from `change_plan`.
        runs: task and who is trained of each run, see `merge_options`.
        changes: what `change_plan` took.

    Example:
        >>> plan = {"tasks": {"a": {"options": {"max_epochs": 9}}, "b": {}}, "rows": {"s": {}}, "options": {"max_epochs": 2}}
        >>> print(*notes_of_changes(plan, [("a", "s"), ("b", "s")], {"options": {"max_epochs": 2}}))
        note: --options max_epochs has no effect on a/s: the plan sets it there
    """
    given = changes.get("teacher", {})
    # an external teacher is not trained; metrics are added to those of the plan
    trained = [(task, who) for task, who in runs if who != "teacher" or not external_teacher(content, task)]
    teachers = [(task, who) for task, who in trained if who == "teacher"]
    for name in changes.get("options", {}):
        of_options = [run for run in trained if run not in teachers or name not in given]
        yield from _note("options", name, content, () if name == "metrics" else of_options)
    for name in given:
        yield from _note("teacher", name, content, teachers)


def _note(section: str, name: str, content: Mapping[str, Any], runs: Iterable[tuple[str, str]]) -> Iterator[str]:
    value = content[section][name]
    kept = [f"{task}/{who}" for task, who in runs if merge_options(content, task, who).get(name) != value]
    if kept:
        named = ", ".join(kept[:_NAMED]) + (f" and {len(kept) - _NAMED} more" if len(kept) > _NAMED else "")
        yield f"note: --{section} {name} has no effect on {named}: the plan sets it there"


def _tasks_with_rows(tasks: Mapping[str, Any], rows: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tasks that still have a row, and of those that choose their rows the ones that are left."""
    kept = {}
    for task, spec in tasks.items():
        if "rows" in spec:
            spec = {**spec, "rows": [row for row in spec["rows"] if row in rows]}
        if spec.get("rows", rows):
            kept[task] = spec
    if not kept:
        raise UsageError(f"--rows: none of the tasks has a row of {list(rows)}")
    return kept


def _check_teams(tasks: Mapping[str, Any]) -> None:
    for task, spec in tasks.items():
        if (owner := spec.get("team_of", task)) not in tasks:
            raise UsageError(f"--tasks: {task!r} has the teacher of {owner!r}, which is left out: expected both")


def _without(spec: Mapping[str, Any], section: str) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if name != section}
