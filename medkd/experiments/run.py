"""Carries an experiment out by Snakemake, then writes its table, with a hole where a run failed."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from medkd.commands import BUNDLES
from medkd.formats import write_atomically

from .plan import Plan, load_plan, plan_file
from .report import report

__all__ = ["experiment", "read_plan"]

_RECORD = "plan.yaml"


def experiment(
    name: str, data: Mapping[str, str], folder: Path, changes: Mapping[str, Any], cores: int, arguments: Sequence[str]
) -> None:
    """Plans, runs and reports an experiment.

    Args:
        name: of a plan that comes with medkd, or the user's own YAML file.
        data: task -> prepared data set.
        folder: everything goes here; called again, what is missing is done.
        changes: parts of the plan that the command replaces: seeds, tasks, rows, options.
        cores: of this machine that may be busy at once.
        arguments: handed to Snakemake, ``--executor slurm`` for instance.

    Raises:
        ValueError: for an unknown plan, data set or row, or a folder that holds runs of other options; at the end, when
            a run failed: the table is written by then.
    """
    if importlib.util.find_spec("snakemake") is None:
        raise ValueError('medkd experiment needs Snakemake: pip install "medkd[workflow]"')
    folder = folder.absolute()
    plan = Plan(_changed(load_plan(plan_file(name)), changes), _absolute(data), folder)
    _same_runs(plan)
    content = yaml.safe_dump({"plan": plan.content, "data": dict(plan.data)}, sort_keys=False, width=120)
    write_atomically(folder / _RECORD, lambda path: path.write_text(content))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(BUNDLES / "Snakefile"), "--directory", str(folder)]
    command += ["--cores", str(cores), "--keep-going", "--rerun-incomplete", "--rerun-triggers", "mtime", *arguments]
    print(shlex.join(["snakemake", *command[3:]]), flush=True)
    code = subprocess.run(command, check=False).returncode
    missing = [folder / job.result for job in plan.jobs.values() if not (folder / job.result).is_file()]
    if code and "--dry-run" in arguments:
        raise ValueError(f"snakemake ended with {code}")
    if "--dry-run" not in arguments:
        report(plan, folder)
    if missing and "--dry-run" not in arguments:
        raise ValueError(
            f"{len(missing)} of {len(plan.jobs)} runs did not end, the table has holes: "
            f"the first is {missing[0].parent}, see {folder / 'logs'}"
        )


def read_plan(folder: Path) -> Plan:
    """The plan of an experiment that has begun.

    Raises:
        FileNotFoundError: for a folder without one.
    """
    record = folder / _RECORD
    if not record.is_file():
        raise FileNotFoundError(f"experiment {folder}: no {_RECORD}, expected the output folder of `medkd experiment`")
    content = yaml.safe_load(record.read_text())
    return Plan(content["plan"], content["data"], folder.absolute())


def _changed(content: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The plan with what the command says: some of its tasks and rows, other seeds, more options."""
    changed = dict(content)
    for part in ("tasks", "rows"):
        if wanted := changes.get(part):
            if unknown := [name for name in wanted if name not in content[part]]:
                raise ValueError(f"--{part}: {unknown[0]!r} is not in the plan, expected some of {list(content[part])}")
            changed[part] = {name: content[part][name] for name in wanted}
    for task, of in changed["tasks"].items():
        if "rows" in of:
            changed["tasks"] = {
                **changed["tasks"],
                task: {**of, "rows": [r for r in of["rows"] if r in changed["rows"]]},
            }
    if seeds := changes.get("seeds"):
        changed["seeds"] = list(seeds)
        for part in ("tasks", "rows"):  # some have seeds of their own
            changed[part] = {n: {k: v for k, v in of.items() if k != "seeds"} for n, of in changed[part].items()}
    for part in ("options", "teacher"):
        if part in changes:
            changed[part] = {**content.get(part, {}), **changes[part]}
    return changed


def _absolute(data: Mapping[str, str]) -> dict[str, str]:
    for name, folder in data.items():
        if not (Path(folder) / "datalist.json").is_file():
            raise FileNotFoundError(f"--data: {name}: {folder}: no datalist.json in it; run `medkd prepare`")
    return {name: str(Path(folder).absolute()) for name, folder in data.items()}


def _same_runs(plan: Plan) -> None:
    """More seeds and rows may join an experiment; a run of other options in the same folder would not be what it says."""
    if not (plan.folder / _RECORD).is_file():
        return
    before = read_plan(plan.folder).jobs
    for folder, job in plan.jobs.items():
        if folder in before and before[folder].command != job.command and (plan.folder / job.result).is_file():
            raise ValueError(f"output_dir {plan.folder}: {folder} was run with other options: choose another folder")
