"""What an experiment runs: the jobs of the rows (methods), tasks and seeds of a plan, each a `medkd` command."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medkd.runs.errors import UsageError
from medkd.runs.folder import RunFolder

from .external_teacher import external_teacher
from .run_options import (
    ASSISTANTS,
    is_code,
    merge_options,
    row_folder,
    rows_of_task,
    team_of_row,
    team_task,
    uses_cached_labels,
)

__all__ = ["Job", "Plan"]


@dataclass(frozen=True)
class Job:
    """One training run with its test. It has ended when its summary exists."""

    kind: str
    """teacher, false_pixel_assistant, boundary_assistant or student."""
    task: str
    """Name of the task in the plan."""
    row: str
    """Title of the row in the table; of an assistant its kind."""
    seed: int
    folder: str
    """Relative to the folder of the experiment."""
    command: tuple[str, ...]
    """Without ``--resume``: the Snakefile adds it if there is something to resume."""
    needs: tuple[str, ...] = ()
    """Folders of the runs that it learns from."""
    expressions: Mapping[str, Any] = field(default_factory=dict)
    """Options that are code: of a plan that its user trusts."""

    @property
    def result(self) -> str:
        """The file that the run writes last, relative to the folder of the experiment."""
        return RunFolder(self.folder).summary.as_posix()


@dataclass
class Plan:
    """An experiment on prepared data sets.

    Args:
        content: of the YAML file, checked by `check_plan`.
        data: name of the task in the plan, or of its bundle -> prepared data set.
        folder: of the experiment.
    """

    content: Mapping[str, Any]
    data: Mapping[str, str]
    folder: Path
    jobs: dict[str, Job] = field(init=False)
    """Folder -> job; teachers and assistants of a task come before its students."""
    _students: dict[tuple[str, str], dict[int, str]] = field(init=False, repr=False)
    """Task and row -> seed -> folder."""

    def __post_init__(self) -> None:
        self.jobs, self._students = {}, {}
        commands: dict[tuple[str, ...], Job] = {}  # students with equal commands are one run
        for job in (job for task in self.content["tasks"] for job in self._jobs_of_task(task)):
            if job.kind == "student":
                task, row, output = job.task, job.row, str(self.folder / job.folder)
                job = commands.setdefault(tuple(word for word in job.command if word != output), job)
                self._students.setdefault((task, row), {})[job.seed] = job.folder
            self.jobs[job.folder] = job

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks in the plan."""
        return list(self.content["tasks"])

    @property
    def rows(self) -> list[str]:
        """Titles of the rows."""
        return list(self.content["rows"])

    def rows_of(self, task: str) -> list[str]:
        """Return the rows that a task has."""
        return rows_of_task(self.content, task)

    def runs(self, task: str, row: str) -> dict[int, Path]:
        """Return the runs behind a cell of the table: seed -> folder, whether they have ended or not.

        Students whose commands differ in nothing but their folder, as those of two tasks may, are one run: the first.
        """
        if self.content["rows"][row].get("role") != "teacher":
            return {seed: self.folder / folder for seed, folder in self._students[task, row].items()}
        owner = team_task(self.content, task)
        teachers = (job for job in self.jobs.values() if job.task == owner and job.kind == "teacher")
        return {job.seed: self.folder / job.folder for job in teachers}

    def command(self, folder: str) -> str:
        """Return the command of a job as a user would write it."""
        return shlex.join(self.jobs[folder].command)

    def shell(self, folder: str) -> str:
        """Return the command of a job for this Python: nodes of a cluster may find another medkd, or none."""
        return f"{shlex.quote(sys.executable)} -m {self.command(folder)}"

    def overlay(self, folder: str) -> Path:
        """Return the file with the expressions of a job."""
        return self.folder / "overlays" / f"{folder}.yaml"

    def data_folder(self, task: str) -> str:
        """Return the data set of a task.

        Raises:
            ValueError: if there is none.
        """
        settings = self.content["tasks"][task]
        for name in (task, settings.get("data"), settings.get("task", task)):
            if name in self.data:
                return self.data[name]
        needed = settings.get("data", task)
        raise UsageError(f"--data: no data set for {task}: expected --data {needed}=FOLDER, or other --tasks")

    def _jobs_of_task(self, task: str) -> list[Job]:
        settings = self.content["tasks"][task]
        rows = {row: self.content["rows"][row] for row in self.rows_of(task)}
        external = external_teacher(self.content, task)
        students = [
            self._student(task, row, seed)
            for row, spec in rows.items()
            if spec.get("role") != "teacher"
            for seed in settings.get("seeds", spec.get("seeds", self.content["seeds"]))
        ]
        needed = {folder for job in students for folder in job.needs}
        owner = team_task(self.content, task)
        if any(spec.get("role") == "teacher" for spec in rows.values()):
            needed |= {f"{owner}/teacher/seed_{seed}" for seed in self._teacher_seeds[: 1 if external else None]}
        members = [
            self._member(owner, kind, seed)
            for seed in self._teacher_seeds
            for kind in ("teacher", *ASSISTANTS)
            if f"{owner}/{kind}/seed_{seed}" in needed
        ]
        return [*members, *students]

    @property
    def _teacher_seeds(self) -> list[int]:
        seeds: list[int] = self.content.get("teacher_seeds", self.content["seeds"])
        return seeds

    def _member(self, task: str, kind: str, seed: int) -> Job:
        """Return the job of a teacher, which is evaluated where it is trained already, or of an assistant."""
        folder, teacher = f"{task}/{kind}/seed_{seed}", f"{task}/teacher/seed_{seed}"
        title = next((row for row, spec in self.content["rows"].items() if spec.get("role") == "teacher"), kind)
        row = title if kind == "teacher" else kind
        words, expressions = self._options(task, kind, seed, folder), self._expressions(task, kind)
        is_external = bool(external_teacher(self.content, task))
        if is_external and kind == "teacher":
            return Job(kind, task, row, seed, folder, self._command("evaluate", task, words), expressions=expressions)
        needs = () if is_external or kind == "teacher" else (teacher,)
        words = ["--role", kind, *words, *(word for need in needs for word in ("--teacher", str(self.folder / need)))]
        return Job(kind, task, row, seed, folder, self._command("train", task, words), needs, expressions)

    def _student(self, task: str, row: str, seed: int) -> Job:
        folder = f"{task}/{row_folder(row)}/seed_{seed}"
        words, code = self._options(task, row, seed, folder), self._expressions(task, row)
        method = self.content["rows"][row].get("method", "none")
        if method == "none":
            return Job("student", task, row, seed, folder, self._command("train", task, words), expressions=code)
        team_seed = self._teacher_seed(seed)
        owner = team_task(self.content, task)
        team = {kind: f"{owner}/{kind}/seed_{team_seed}" for kind in team_of_row(self.content, task, row)}
        if external_teacher(self.content, task):
            team.pop("teacher")
        words = ["--method", method, *words]
        if uses_cached_labels(self.content, row):
            words = ["--soft_labels", "cached", *words]
        words += [word for kind, member in team.items() for word in (f"--{kind}", str(self.folder / member))]
        command = self._command("distill", task, words)
        return Job("student", task, row, seed, folder, command, tuple(team.values()), code)

    def _teacher_seed(self, seed: int) -> int:
        """Return the seed of a student's teacher: that of the student if a teacher has it, else the teachers alternate."""
        seeds = self._teacher_seeds
        return seed if seed in seeds else seeds[seed % len(seeds)]

    def _command(self, verb: str, task: str, words: list[str]) -> tuple[str, ...]:
        settings = self.content["tasks"][task]
        mode = ["--mode", settings["mode"]] if "mode" in settings else []
        overlay = ["--overlay", settings["overlay"]] if "overlay" in settings else []
        return ("medkd", verb, settings.get("task", task), *mode, *overlay, *words)

    def _options(self, task: str, who: str, seed: int, folder: str) -> list[str]:
        fixed = {"seed": seed, "dataset_dir": self.data_folder(task), "output_dir": str(self.folder / folder)}
        options = {**merge_options(self.content, task, who), **fixed}
        code = self._expressions(task, who)
        words = [word for name, value in options.items() if name not in code for word in (f"--{name}", str(value))]
        return [*words, *(["--overlay", str(self.overlay(folder))] if code else [])]

    def _expressions(self, task: str, who: str) -> dict[str, Any]:
        return {name: value for name, value in merge_options(self.content, task, who).items() if is_code(value)}
