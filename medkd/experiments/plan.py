"""What an experiment runs: a plan is a YAML file of rows (methods), tasks and seeds; its jobs are `medkd` commands."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from medkd.commands import BUNDLES, tasks
from medkd.methods import load_preset, team_arguments

__all__ = ["Job", "Plan", "load_plan", "plan_file", "plans"]

ASSISTANTS = ("false_pixel_assistant", "boundary_assistant")
_OF_KINDS = {"options", "teacher", *ASSISTANTS, "distilled"}
_PLAN = {
    "title",
    "published",
    "metrics",
    "baseline",
    "seeds",
    "teacher_seeds",
    "soft_labels",
    "tasks",
    "rows",
    *_OF_KINDS,
}
_TASK = {"task", "data", "mode", "seeds", "rows", "overlay", *_OF_KINDS}
_ROW = {"role", "method", "options", "seeds", "soft_labels"}


@dataclass(frozen=True)
class Job:
    """One training run, its test included: done when ``<folder>/summary.json`` is there."""

    kind: str
    """teacher, false_pixel_assistant, boundary_assistant or student."""
    task: str
    """Name of the task in the plan."""
    row: str
    """Title of the table's row; of an assistant its kind."""
    seed: int
    folder: str
    """Relative to the experiment's folder."""
    command: tuple[str, ...]
    """Without ``--resume``: the Snakefile adds it where there is something to resume."""
    needs: tuple[str, ...] = ()
    """Folders of the runs that it learns from."""

    @property
    def result(self) -> str:
        return f"{self.folder}/summary.json"


@dataclass
class Plan:
    """An experiment on given data.

    Args:
        content: of the YAML file, checked by `load_plan`.
        data: name of the task in the plan, or of the bundle -> prepared data set.
        folder: of the experiment.
    """

    content: Mapping[str, Any]
    data: Mapping[str, str]
    folder: Path
    jobs: dict[str, Job] = field(init=False)

    def __post_init__(self) -> None:
        found = [job for task in self.content["tasks"] for job in self._jobs_of(task)]
        self.jobs = {job.folder: job for job in found}

    @property
    def tasks(self) -> list[str]:
        return list(self.content["tasks"])

    @property
    def rows(self) -> list[str]:
        return list(self.content["rows"])

    def rows_of(self, task: str) -> list[str]:
        """Rows that a task has: all, where it does not choose."""
        return list(self.content["tasks"][task].get("rows", self.content["rows"]))

    def runs(self, task: str, row: str) -> dict[int, Path]:
        """Seed -> folder of the runs behind a cell, whether they are done or not."""
        spec = self.content["rows"][row]
        kind = "teacher" if spec.get("role") == "teacher" else "student"
        found = (job for job in self.jobs.values() if job.task == task and job.kind == kind)
        return {job.seed: self.folder / job.folder for job in found if kind == "teacher" or job.row == row}

    def shell(self, folder: str) -> str:
        """The job's command for a shell."""
        return shlex.join(self.jobs[folder].command)

    def _jobs_of(self, task: str) -> list[Job]:
        of = self.content["tasks"][task]
        rows = {row: self.content["rows"][row] for row in self.rows_of(task)}
        students = [
            self._student(task, row, seed)
            for row, spec in rows.items()
            if spec.get("role") != "teacher"
            for seed in of.get("seeds", spec.get("seeds", self.content["seeds"]))
        ]
        needed = {folder for job in students for folder in job.needs}
        if any(spec.get("role") == "teacher" for spec in rows.values()):
            needed |= {f"{task}/teacher/seed_{seed}" for seed in self._teacher_seeds}
        before = [
            self._member(task, kind, seed)
            for seed in self._teacher_seeds
            for kind in ("teacher", *ASSISTANTS)
            if f"{task}/{kind}/seed_{seed}" in needed
        ]
        return [*before, *students]

    @property
    def _teacher_seeds(self) -> list[int]:
        return self.content.get("teacher_seeds", self.content["seeds"])

    def _member(self, task: str, kind: str, seed: int) -> Job:
        """A teacher or an assistant."""
        folder, teacher = f"{task}/{kind}/seed_{seed}", f"{task}/teacher/seed_{seed}"
        options = self._options(task, kind, seed, folder)
        words = ["--role", kind, *options]
        if kind != "teacher":
            words += ["--teacher", str(self.folder / teacher)]
        title = next((row for row, spec in self.content["rows"].items() if spec.get("role") == "teacher"), kind)
        needs = () if kind == "teacher" else (teacher,)
        row = title if kind == "teacher" else kind
        return Job(kind, task, row, seed, folder, self._command("train", task, words), needs)

    def _student(self, task: str, row: str, seed: int) -> Job:
        spec = self.content["rows"][row]
        folder = f"{task}/{_path(row)}/seed_{seed}"
        words = self._options(task, row, seed, folder)
        method = spec.get("method", "none")
        if method == "none":
            return Job("student", task, row, seed, folder, self._command("train", task, words))
        seeds = self._teacher_seeds
        team = {"teacher": f"{task}/teacher/seed_{seeds[seed % len(seeds)]}"}
        arguments = {
            name.removeprefix("method_args::"): value
            for name, value in spec.get("options", {}).items()
            if name.startswith("method_args::")
        }
        wanted = team_arguments(method, arguments) if "team" in load_preset(method) else {}
        for assistant in ASSISTANTS:
            if wanted.get(assistant.removesuffix("_assistant")):
                team[assistant] = f"{task}/{assistant}/seed_{seeds[seed % len(seeds)]}"
        words = ["--method", method, *words]
        if spec.get("soft_labels", self.content.get("soft_labels")) == "cached":
            words = ["--soft_labels", "cached", *words]
        words += [word for name, of in team.items() for word in (f"--{name}", str(self.folder / of))]
        return Job("student", task, row, seed, folder, self._command("distill", task, words), tuple(team.values()))

    def _command(self, verb: str, task: str, words: list[str]) -> tuple[str, ...]:
        of = self.content["tasks"][task]
        mode = ["--mode", of["mode"]] if "mode" in of else []
        overlay = ["--overlay", str(BUNDLES / "experiments" / of["overlay"])] if "overlay" in of else []
        return ("medkd", verb, of.get("task", task), *mode, *overlay, *words)

    def _options(self, task: str, who: str, seed: int, folder: str) -> list[str]:
        """From the general to the particular: of all runs, of its kind (of the plan, then of the task), of the row."""
        of, row = self.content["tasks"][task], self.content["rows"].get(who, {})
        merged = {**self.content.get("options", {}), **of.get("options", {})}
        if who in ("teacher", *ASSISTANTS):
            merged |= {**self.content.get(who, {}), **of.get(who, {})}
        else:
            if "method" in row:
                merged |= {**self.content.get("distilled", {}), **of.get("distilled", {})}
            merged |= row.get("options", {})
        merged |= {"seed": seed, "dataset_dir": self._data(task), "output_dir": str(self.folder / folder)}
        # what an option of all members or rows leaves out for this one
        return [word for name, value in merged.items() if value is not None for word in (f"--{name}", str(value))]

    def _data(self, task: str) -> str:
        of = self.content["tasks"][task]
        for name in (task, of.get("data"), of.get("task", task)):
            if name in self.data:
                return self.data[name]
        raise ValueError(f"--data: no data set for {task}: expected \"{{'{of.get('data', task)}': 'FOLDER'}}\"")


def plans() -> list[str]:
    """Names of the experiments that come with medkd, sorted."""
    return sorted(path.stem for path in (BUNDLES / "experiments").glob("*.yaml") if "rows" in _read(path))


def plan_file(name: str) -> Path:
    """The file of an experiment of ours, or the user's own.

    Raises:
        ValueError: for a name that is neither.
    """
    own, ours = Path(name), BUNDLES / "experiments" / f"{name}.yaml"
    if own.suffix in (".yaml", ".yml") and own.is_file():
        return own
    if name not in plans():
        near = get_close_matches(name, plans(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(plans())}"
        raise ValueError(f"unknown experiment {name!r}: {hint}")
    return ours


def load_plan(file: Path) -> dict[str, Any]:
    """The content of a plan.

    Raises:
        ValueError: for names that a plan does not have, an unknown task or method, a row that a task names and that is none.
    """
    content = _read(file)
    _check(file, "plan", content, _PLAN, ("title", "metrics", "seeds", "tasks", "rows"))
    for row, spec in content["rows"].items():
        _check(file, f"row {row}", spec, _ROW)
        load_preset(spec.get("method", "none"))  # an unknown one is refused with the nearest name
    folders: dict[str, str] = {}
    for row in content["rows"]:
        if (other := folders.setdefault(_path(row), row)) != row:
            raise ValueError(f"{file}: rows {other!r} and {row!r} would have one folder")
    for name, of in content["tasks"].items():
        _check(file, f"task {name}", of, _TASK)
        if of.get("task", name) not in tasks():
            raise ValueError(
                f"{file}: task {name}: found {of.get('task', name)!r}, expected one of {', '.join(tasks())}"
            )
        if unknown := set(of.get("rows", ())) - content["rows"].keys():
            raise ValueError(f"{file}: task {name}: rows {sorted(unknown)} are no rows of the plan")
    if (baseline := content.get("baseline")) and baseline not in content["rows"]:
        raise ValueError(f"{file}: baseline {baseline!r} is no row of the plan")
    return content


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: not a YAML file: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{file}: holds {type(content).__name__}, expected names and values")
    return content


def _check(file: Path, what: str, found: Mapping[str, Any], known: set[str], needed: tuple[str, ...] = ()) -> None:
    if missing := [name for name in needed if name not in found]:
        raise ValueError(f"{file}: {what}: no {', '.join(missing)}")
    for name in found:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise ValueError(f"{file}: {what}: unknown {name!r}" + (f" (did you mean {near[0]}?)" if near else ""))


def _path(row: str) -> str:
    """A row's title as the name of a folder."""
    return "_".join("".join(c if c.isalnum() else " " for c in row).split()).lower()
