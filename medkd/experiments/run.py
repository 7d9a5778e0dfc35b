"""Carries an experiment out by Snakemake, then writes its table, with a hole where a run failed."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from medkd.runs.files import write_atomically
from medkd.runs.folder import RunFolder
from medkd.runs.lock import FolderLock

from .plan import Job, Plan
from .plan_file import check_plan, load_plan, plan_file
from .report import report
from .snakemake import check_arguments, check_lock, run_snakemake

__all__ = ["experiment", "read_plan"]

_RECORD = "plan.yaml"


def experiment(
    name: str,
    data: Mapping[str, str],
    folder: Path,
    changes: Mapping[str, Any],
    cores: int | None,
    arguments: Sequence[str],
) -> None:
    """Plans, runs and reports an experiment.

    Args:
        name: of a plan that comes with medkd, or the user's own YAML file.
        data: task -> prepared data set.
        folder: everything goes here; called again, what is missing is done.
        changes: parts of the plan that the command replaces: seeds, tasks, rows, options.
        cores: runs at once on this machine, see `run_snakemake`.
        arguments: handed to Snakemake, ``--executor slurm`` for instance.

    Raises:
        ValueError: for an unknown plan, data set, row or option, or a folder that holds runs of other options; at the end,
            when a run failed: the table is written by then.
        FileExistsError: while an earlier call, or a run that it left behind, is at work in the folder.
    """
    check_arguments(arguments)
    if cores is not None and cores < 1:
        raise ValueError(f"--cores: found {cores}, expected 1 or more")
    content = _changed(load_plan(plan_file(name)), changes)
    check_plan(content, name)
    plan = Plan(content, _absolute(data), folder.absolute())
    before = _read_record(plan.folder) if (plan.folder / _RECORD).is_file() else {}
    _same_runs(plan, before.get("commands", {}))
    with _lock(plan.folder) as lock:
        _nothing_runs(plan)
        # before the record names this machine: the next call would take another one's lock for a dead one of its own
        check_lock(plan.folder, arguments, before.get("machine", platform.node()))
        _write_record(plan, before)
        code = run_snakemake(plan.folder, cores, arguments, lock)
        missing = [job for job in plan.jobs.values() if not (plan.folder / job.result).is_file()]
        if code == 0 and missing:  # --dry-run, --unlock: nothing was to be done
            _restore_record(plan.folder, before)
        else:
            _end(plan, missing)


@contextmanager
def _lock(folder: Path) -> Iterator[FolderLock]:
    """Lock a folder. The hint of the error is another one than that of a run: another folder is another experiment."""
    lock = FolderLock(folder)
    try:
        lock.acquire()
    except FileExistsError:
        raise FileExistsError(
            f"output_dir {folder}: an earlier call is at work in it, or the Snakemake that it began and that outlived it: "
            "wait for its end, or stop it"
        ) from None
    try:
        yield lock
    finally:
        lock.release()


def _end(plan: Plan, missing: Sequence[Job]) -> None:
    """The table, and what failed runs said last."""
    report(plan, plan.folder)
    for job in missing:
        run = RunFolder(plan.folder / job.folder)
        last_line = run.read_last_line()
        print(f"{job.folder}: {last_line} ({run.log})" if last_line else f"{job.folder}: did not begin")
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(plan.jobs)} runs did not end, the table has holes: "
            f"the first is {missing[0].folder}, see {plan.folder / 'logs'}"
        )


def read_plan(folder: Path) -> Plan:
    """The plan of an experiment that has begun.

    Raises:
        FileNotFoundError: for a folder without one.
    """
    if not (folder / _RECORD).is_file():
        raise FileNotFoundError(f"experiment {folder}: no {_RECORD}, expected the output folder of `medkd experiment`")
    content = _read_record(folder)
    return Plan(content["plan"], content["data"], folder.absolute())


def _read_record(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / _RECORD).read_text())


def _write_record(plan: Plan, before: Mapping[str, Any]) -> None:
    """The plan, and the commands of all runs that there ever were in the folder."""
    commands = {folder: plan.command(folder) for folder in plan.jobs}
    record = {"plan": plan.content, "data": dict(plan.data), "machine": platform.node()}
    _write(plan.folder, {**record, "commands": {**before.get("commands", {}), **commands}})


def _restore_record(folder: Path, before: Mapping[str, Any]) -> None:
    if before:
        _write(folder, before)
    else:
        (folder / _RECORD).unlink()


def _write(folder: Path, record: Mapping[str, Any]) -> None:
    text = yaml.safe_dump(dict(record), sort_keys=False, width=2**20)
    write_atomically(folder / _RECORD, lambda path: path.write_text(text))


def _changed(content: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The plan with what the command says: some of its tasks and rows, other seeds, more options."""
    changed = dict(content)
    for part in ("tasks", "rows"):
        if wanted := changes.get(part):
            if unknown := [name for name in wanted if name not in content[part]]:
                raise ValueError(f"--{part}: {unknown[0]!r} is not in the plan, expected some of {list(content[part])}")
            changed[part] = {name: of for name, of in content[part].items() if name in wanted}
    for task, of in changed["tasks"].items():
        if "rows" in of:
            kept = {**of, "rows": [row for row in of["rows"] if row in changed["rows"]]}
            changed["tasks"] = {**changed["tasks"], task: kept}
    changed["tasks"] = {task: of for task, of in changed["tasks"].items() if of.get("rows", changed["rows"])}
    if not changed["tasks"]:
        raise ValueError(f"--rows: none of the tasks has a row of {list(changed['rows'])}")
    if content.get("baseline") not in changed["rows"]:
        changed.pop("baseline", None)
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
        if not (Path(str(folder)) / "datalist.json").is_file():
            raise FileNotFoundError(f"--data: {name}: {folder}: no datalist.json in it; run `medkd prepare`")
    return {name: str(Path(folder).absolute()) for name, folder in data.items()}


def _same_runs(plan: Plan, commands: Mapping[str, str]) -> None:
    """More seeds and rows may join an experiment; a run of other options in the same folder would not be what it says."""
    for folder in plan.jobs:
        run = RunFolder(plan.folder / folder)
        if (run.has_begun or run.summary.is_file()) and commands.get(folder, plan.command(folder)) != plan.command(
            folder
        ):
            raise ValueError(
                f"output_dir {plan.folder}: {folder} was run with other options: choose another folder, or remove that run's"
            )


def _nothing_runs(plan: Plan) -> None:
    """A killed Snakemake leaves its trainings running, and a second one of the same folder would fail."""
    for job in plan.jobs.values():
        if FolderLock(plan.folder / job.folder).is_locked():
            raise FileExistsError(f"output_dir {plan.folder}: a run that an earlier call began goes on in {job.folder}")
