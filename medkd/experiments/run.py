"""Run an experiment by Snakemake, then write its table, with a hole for each run that failed."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from medkd.configs.yaml_text import read_mapping
from medkd.runs.errors import UsageError, did_you_mean
from medkd.runs.files import write_atomically
from medkd.runs.folder import RunFolder
from medkd.runs.lock import FolderLock

from .bundles import Bundles
from .check_plan import check_data_sets, check_form, check_plan
from .plan import Job, Plan
from .plan_changes import change_plan, notes_of_changes
from .plan_file import load_plan, plan_file
from .plan_trust import check_trust
from .progress import print_finished
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
    bundles: Bundles,
    trust_plan: bool = False,
    estimate: Callable[[Plan, Sequence[Job], int | None], None] | None = None,
) -> None:
    """Plan, run and report an experiment.

    Args:
        name: of a plan that comes with medkd, or the user's own YAML file.
        data: task -> prepared data set.
        folder: of the experiment. A further call does what is missing.
        changes: sections of the plan that the command line changes, see `change_plan`.
        cores: number of runs at once on this machine, see `run_snakemake`.
        arguments: for Snakemake, such as ``--executor slurm``.
        bundles: the bundles of the tasks.
        trust_plan: whether the plan may hold code, see `check_trust`.
        estimate: called with the plan, the runs to do and the cores after Snakemake's ``--dry-run``.

    Raises:
        ValueError: for a plan with code that is not trusted, an unknown plan, data set, row, option or argument of a method,
            before anything runs; for a folder that holds runs of other options; at the end for a failed run, when the table is
            already written.
        FileExistsError: while an earlier call, or a run that it left behind, is at work in the folder.
    """
    if cores is not None and cores < 1:
        raise UsageError(f"--cores: found {cores}, expected 1 or more")
    file = plan_file(name, bundles)
    content = load_plan(file)
    check_plan(content, str(file), bundles, check_options=False)
    _check_data_names(data, content["tasks"])
    content = change_plan(content, changes)
    if not trust_plan:
        check_trust(content, str(file), bundles)
    check_plan(content, name, bundles)
    check_arguments(arguments)
    plan = Plan(content, _check_data(data), folder.absolute())
    check_data_sets(content, name, bundles, {task: plan.data_folder(task) for task in plan.tasks})
    runs = dict.fromkeys((job.task, job.row if job.kind == "student" else job.kind) for job in plan.jobs.values())
    for note in notes_of_changes(content, runs, changes):
        print(note)
    before = _read_record(plan.folder) if (plan.folder / _RECORD).is_file() else {}
    _check_same_options(plan, before.get("commands", {}))
    with _lock(plan.folder) as lock:
        _check_nothing_runs(plan)
        # the record of this call would name this machine: another machine's lock would look like an old one of this machine
        check_lock(plan.folder, arguments, before.get("machine", platform.node()))
        _write_record(plan, before)
        _write_overlays(plan)
        with print_finished(plan):
            code = run_snakemake(plan.folder, cores, arguments, lock, bundles.folder / "Snakefile")
        missing = [job for job in plan.jobs.values() if not (plan.folder / job.result).is_file()]
        if code == 0 and missing:  # --dry-run, --unlock: nothing was to be done
            _restore_record(plan.folder, before)
            if estimate is not None and {"--dry-run", "--dryrun", "-n"} & set(arguments):
                estimate(plan, missing, cores)
        else:
            _finish(plan, missing, trust_plan)


@contextmanager
def _lock(folder: Path) -> Iterator[FolderLock]:
    """Lock a folder. The hint of the error is another one than that of a run: another folder is another experiment."""
    lock = FolderLock(folder)
    try:
        lock.acquire()
    except FileExistsError:
        raise FileExistsError(
            f"--output_dir {folder}: an earlier call is at work in it, or the Snakemake that it began and that outlived it: "
            "wait for its end, or stop it"
        ) from None
    try:
        yield lock
    finally:
        lock.release()


def _finish(plan: Plan, missing: Sequence[Job], trust_plan: bool) -> None:
    """Write the table, and print the last line of each failed run."""
    report(plan, plan.folder, trust_record=trust_plan)
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
    """Return the plan of an experiment that has begun.

    Raises:
        FileNotFoundError: for a folder without one.
        ValueError: for a file that is not the plan of an experiment: a stranger may have written it.
    """
    if not (folder / _RECORD).is_file():
        raise FileNotFoundError(f"experiment {folder}: no {_RECORD}, expected the output folder of `medkd experiment`")
    content = _read_record(folder)
    plan, data = content.get("plan"), content.get("data")
    if not isinstance(plan, dict) or not isinstance(data, dict):
        raise ValueError(f"{folder / _RECORD}: found another content, expected the plan and the data of an experiment")
    check_form(plan, str(folder / _RECORD))
    return Plan(plan, {str(name): str(path) for name, path in data.items()}, folder.absolute())


def _read_record(folder: Path) -> dict[str, Any]:
    record = read_mapping(folder / _RECORD)
    if not isinstance(record.get("commands", {}), dict):
        raise ValueError(f"{folder / _RECORD}: commands: found {record['commands']!r:.60}, expected names and values")
    return record


def _write_record(plan: Plan, before: Mapping[str, Any]) -> None:
    """Write the plan, and the commands of all runs that were ever in the folder."""
    commands = {folder: plan.command(folder) for folder in plan.jobs}
    record = {"plan": plan.content, "data": dict(plan.data), "machine": platform.node()}
    _write(plan.folder, {**record, "commands": {**before.get("commands", {}), **commands}})


def _write_overlays(plan: Plan) -> None:
    """Write the expressions of each run's options, which only an overlay hands to MONAI."""
    for job in plan.jobs.values():
        if job.expressions:
            text = yaml.safe_dump(dict(job.expressions), sort_keys=False)
            write_atomically(plan.overlay(job.folder), partial(Path.write_text, data=text))


def _restore_record(folder: Path, before: Mapping[str, Any]) -> None:
    if before:
        _write(folder, before)
    else:
        (folder / _RECORD).unlink()


def _write(folder: Path, record: Mapping[str, Any]) -> None:
    text = yaml.safe_dump(dict(record), sort_keys=False, width=2**20)
    write_atomically(folder / _RECORD, lambda path: path.write_text(text))


def _check_data_names(data: Mapping[str, str], tasks: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that each data set is of a task of the plan, whether or not this call runs it."""
    sources = [(task, settings.get("data"), settings.get("task")) for task, settings in tasks.items()]
    names = sorted({name for source in sources for name in source if name})
    for name in data:
        if name not in names:
            hint = did_you_mean(name, names, count=1)
            raise UsageError(
                f"--data: found {name!r}, expected one of {', '.join(names)}" + (f" ({hint})" if hint else "")
            )


def _check_data(data: Mapping[str, str]) -> dict[str, str]:
    """Return the absolute paths of data sets, each with its data list."""
    for name, folder in data.items():
        if not (Path(str(folder)) / "datalist.json").is_file():
            raise FileNotFoundError(f"--data: {name}: {folder}: no datalist.json in it; run `medkd prepare`")
    return {name: str(Path(folder).absolute()) for name, folder in data.items()}


def _check_same_options(plan: Plan, commands: Mapping[str, str]) -> None:
    """Check that runs in the folder have the options of the plan; new seeds and rows may join."""
    for folder in plan.jobs:
        run = RunFolder(plan.folder / folder)
        has_begun = run.has_begun or run.summary.is_file()
        if has_begun and commands.get(folder, plan.command(folder)) != plan.command(folder):
            raise ValueError(
                f"--output_dir {plan.folder}: {folder} was run with other options: choose another folder, or remove that run's"
            )


def _check_nothing_runs(plan: Plan) -> None:
    """Check that no run is at work: a killed Snakemake leaves its trainings running, and a second one would fail."""
    for job in plan.jobs.values():
        if FolderLock(plan.folder / job.folder).is_locked():
            raise FileExistsError(
                f"--output_dir {plan.folder}: a run that an earlier call began goes on in {job.folder}"
            )
