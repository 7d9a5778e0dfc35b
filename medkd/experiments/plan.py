"""What an experiment runs: of a plan's rows (methods), tasks and seeds, the jobs, which are `medkd` commands."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medkd.methods import load_preset, team_arguments
from medkd.runs.folder import RunFolder

from .plan_file import ASSISTANTS, row_folder

__all__ = ["Job", "Plan"]


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
        return RunFolder(self.folder).summary.as_posix()


@dataclass
class Plan:
    """An experiment on given data.

    Args:
        content: of the YAML file, checked by `check_plan`.
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

    def command(self, folder: str) -> str:
        """The job's, as a user would write it."""
        return shlex.join(self.jobs[folder].command)

    def shell(self, folder: str) -> str:
        """The same by the Python that runs this one: nodes of a cluster may know no other medkd."""
        return f"{shlex.quote(sys.executable)} -m {self.command(folder)}"

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
        folder = f"{task}/{row_folder(row)}/seed_{seed}"
        words = self._options(task, row, seed, folder)
        method = spec.get("method", "none")
        if method == "none":
            return Job("student", task, row, seed, folder, self._command("train", task, words))
        team = {kind: f"{task}/{kind}/seed_{self._teacher_seed(seed)}" for kind in self._team(task, row, method)}
        words = ["--method", method, *words]
        if spec.get("soft_labels", self.content.get("soft_labels")) == "cached":
            words = ["--soft_labels", "cached", *words]
        words += [word for name, of in team.items() for word in (f"--{name}", str(self.folder / of))]
        return Job("student", task, row, seed, folder, self._command("distill", task, words), tuple(team.values()))

    def _teacher_seed(self, seed: int) -> int:
        """A student's teacher has its seed, where there is one, else the teachers take turns."""
        seeds = self._teacher_seeds
        return seed if seed in seeds else seeds[seed % len(seeds)]

    def _team(self, task: str, row: str, method: str) -> list[str]:
        """The teacher and those assistants that the method asks with the arguments of this row."""
        if "team" not in load_preset(method):
            return ["teacher"]
        options = self._merged(task, row).items()
        arguments = {name.removeprefix("method_args::"): v for name, v in options if name.startswith("method_args::")}
        wanted = team_arguments(method, arguments)
        return ["teacher", *(name for name in ASSISTANTS if wanted.get(name.removesuffix("_assistant")))]

    def _command(self, verb: str, task: str, words: list[str]) -> tuple[str, ...]:
        of = self.content["tasks"][task]
        mode = ["--mode", of["mode"]] if "mode" in of else []
        overlay = ["--overlay", of["overlay"]] if "overlay" in of else []
        return ("medkd", verb, of.get("task", task), *mode, *overlay, *words)

    def _options(self, task: str, who: str, seed: int, folder: str) -> list[str]:
        given = {"seed": seed, "dataset_dir": self._data(task), "output_dir": str(self.folder / folder)}
        merged = {**self._merged(task, who), **given}
        # what an option of all members or rows leaves out for this one
        return [word for name, value in merged.items() if value is not None for word in (f"--{name}", str(value))]

    def _merged(self, task: str, who: str) -> dict[str, Any]:
        """From the general to the particular: of all runs, of its kind (of the plan, then of the task), of the row."""
        of, row = self.content["tasks"][task], self.content["rows"].get(who, {})
        distilled = "distilled" if row.get("method", "none") != "none" else ""
        kind = who if who in ("teacher", *ASSISTANTS) else distilled
        merged = {**self.content.get("options", {}), **of.get("options", {})}
        return merged | self.content.get(kind, {}) | of.get(kind, {}) | row.get("options", {})

    def _data(self, task: str) -> str:
        of = self.content["tasks"][task]
        for name in (task, of.get("data"), of.get("task", task)):
            if name in self.data:
                return self.data[name]
        given = {**self.data, of.get("data", task): "FOLDER"}
        raise ValueError(
            f'--data: no data set for {task}: expected "{given}", or a choice of tasks, --tasks "[\'NAME\']"'
        )
