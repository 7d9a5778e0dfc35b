"""The options of each run of a plan: how settings of plan, task and row merge, and whether a run takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from medkd.configs.plain import is_plain
from medkd.methods import load_preset, team_arguments

from .bundles import OptionCheck
from .external_teacher import evaluation_options, external_teacher, is_evaluated

__all__ = [
    "ASSISTANTS",
    "check_runs",
    "is_code",
    "merge_options",
    "row_folder",
    "rows_of_task",
    "team_of_row",
    "team_task",
    "uses_cached_labels",
]

ASSISTANTS = ("false_pixel_assistant", "boundary_assistant")
# metric of a plan -> name in the option ``metrics`` of the runs, which compute it on request alone
_REQUESTS = {"nsd": "nsd", "ece": "ece", "lesion_sensitivity": "lesions", "lesion_precision": "lesions"}
_ARGUMENT = "method_args::"
_OF_DISTILLED = ("unlabelled", "unlabelled_share")
_DISTILLED_HINT = "; options of rows with a method alone are expected under `distilled:`"

Content = Mapping[str, Any]


def is_code(value: Any) -> bool:
    """Return whether the value of an option in a plan is no plain data, so that its run evaluates it."""
    return value != "$None" and not is_plain(value)


def row_folder(row: str) -> str:
    """Return the title of a row as the name of a folder.

    Example:
        >>> row_folder("T + TA_f")
        't_ta_f'
    """
    return "_".join("".join(c if c.isalnum() else " " for c in row).split()).lower()


def rows_of_task(content: Content, task: str) -> list[str]:
    """Return the rows that a task has: all rows, if it does not choose."""
    return list(content["tasks"][task].get("rows", content["rows"]))


def team_task(content: Content, task: str) -> str:
    """Return the task whose teacher and assistants the students of a task learn from: its own, or that of ``team_of``."""
    owner: str = content["tasks"][task].get("team_of", task)
    return owner


def merge_options(content: Content, task: str, who: str) -> dict[str, Any]:
    """Return the options of a run, from the most general to the most specific.

    Args:
        content: of the plan.
        task: name of the task in the plan.
        who: title of a row, "teacher", or one of `ASSISTANTS`.

    Returns:
        The options of all runs, of the plan and of the task, then those of the kind of run, of the plan and of the task, then
        those of the row. None takes an option away. An external teacher comes before those of the kind of run; its own options
        are those of its evaluation. ``metrics`` holds those of the plan that runs compute only on request.
    """
    settings, row = content["tasks"][task], content["rows"].get(who, {})
    distilled = "distilled" if row.get("method", "none") != "none" else ""
    kind = who if who in ("teacher", *ASSISTANTS) else distilled
    merged = {**content.get("options", {}), **settings.get("options", {})}
    external = external_teacher(content, task)
    if external and who == "teacher":
        return _with_metrics(content, evaluation_options(merged, external["teacher"]))
    if who == "boundary_assistant":  # it begins as the teacher and asks it nothing
        external = {name: value for name, value in external.items() if name == "teacher"}
    merged |= external if kind else {}
    merged |= content.get(kind, {}) | settings.get(kind, {}) | row.get("options", {})
    return _with_metrics(content, {name: value for name, value in merged.items() if value is not None})


def _with_metrics(content: Content, options: dict[str, Any]) -> dict[str, Any]:
    """Return options with the metrics of the plan that runs compute only on request, beside those that they name."""
    shown = [_REQUESTS[name] for name in content.get("metrics", ()) if name in _REQUESTS]
    if not shown:
        return options
    given = options.get("metrics", ())
    named = given.split(",") if isinstance(given, str) else given
    return {**options, "metrics": ",".join(dict.fromkeys([*named, *shown]))}


def team_of_row(content: Content, task: str, row: str) -> list[str]:
    """Return the teacher and the assistants that the method of a row needs with the arguments of this row.

    Raises:
        ValueError: for an argument that the method does not have.
    """
    method = content["rows"][row].get("method", "none")
    if "team" not in load_preset(method):
        return ["teacher"]
    options = merge_options(content, task, row)
    arguments = {name.removeprefix(_ARGUMENT): v for name, v in options.items() if name.startswith(_ARGUMENT)}
    team = team_arguments(method, arguments) or {}
    return ["teacher", *(name for name in ASSISTANTS if team.get(name.removesuffix("_assistant")))]


def uses_cached_labels(content: Content, row: str) -> bool:
    """Return whether a row learns from cached soft labels."""
    return content["rows"][row].get("soft_labels", content.get("soft_labels")) == "cached"


def check_runs(
    content: Content, check_options: OptionCheck, folders: Mapping[str, str] = MappingProxyType({})
) -> Iterator[str]:
    """Yield the problems of the options of each row, and of the teacher and the assistants that the rows need.

    A problem that a row has in each task is named once.

    Args:
        content: of the plan.
        check_options: checks the options of one run.
        folders: task -> prepared data set; empty: data sets are not read.
    """

    def problem_of(task: str, who: str, verb: str = "train", role: str = "student") -> str:
        options = merge_options(content, task, who)
        if verb == "distill":
            options["method"] = content["rows"][who]["method"]
        if task in folders:
            options["dataset_dir"] = folders[task]
        is_cached = verb == "distill" and uses_cached_labels(content, who)
        return _problem(content["tasks"][task], task, check_options, verb, options, role, is_cached)

    tasks_of: dict[tuple[str, str], list[str]] = {}
    for task in content["tasks"]:
        team = set()
        for row in rows_of_task(content, task):
            if content["rows"][row].get("role") == "teacher":
                team.add("teacher")
                continue
            is_distilled = content["rows"][row].get("method", "none") != "none"
            if problem := problem_of(task, row, "distill" if is_distilled else "train"):
                tasks_of.setdefault((f"row {row}", problem), []).append(task)
                team |= {"teacher"} if is_distilled else set()
            elif is_distilled:
                team.update(team_of_row(content, task, row))
        if external := external_teacher(content, task).get("teacher"):
            team.discard("teacher")
            if of_teacher := _problem_of_teacher_row(content, task, external):
                tasks_of.setdefault(of_teacher, []).append(task)
        for role in sorted(team, key=("teacher", *ASSISTANTS).index):
            if problem := problem_of(team_task(content, task), role, role=role):
                tasks_of.setdefault((role, problem), []).append(task)
    for (owner, problem), tasks in tasks_of.items():
        scope = "" if len(tasks) == len(content["tasks"]) else f" of {', '.join(tasks)}"
        yield f"{owner}{scope}: {problem}"


def _problem_of_teacher_row(content: Content, task: str, teacher: Any) -> tuple[str, str] | None:
    """Return the row of a teacher that cannot be evaluated, and why."""
    row = next((row for row in rows_of_task(content, task) if content["rows"][row].get("role") == "teacher"), None)
    if row is None or is_evaluated(teacher):
        return None
    problem = (
        f"found the external teacher {teacher}, expected a run of medkd, which alone is evaluated: leave the row out"
    )
    return f"row {row}", problem


def _problem(
    settings: Mapping[str, Any],
    task: str,
    check_options: OptionCheck,
    verb: str,
    options: Mapping[str, Any],
    role: str,
    is_cached: bool,
) -> str:
    """Return the problem of the options of a run, or an empty text."""
    try:
        check_options(
            verb,
            settings.get("task", task),
            {name: value for name, value in options.items() if not is_code(value)},  # a run evaluates them
            role=role,
            overlays=[settings["overlay"]] if "overlay" in settings else [],
            soft_labels="cached" if is_cached else "online",
            mode=settings.get("mode", "2d"),
        )
    except (ValueError, OSError) as error:
        is_misplaced = verb == "train" and any(f"--{name} " in str(error) for name in _OF_DISTILLED)
        return f"{error}{_DISTILLED_HINT if is_misplaced else ''}"
    return ""
