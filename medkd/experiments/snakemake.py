"""Snakemake as a child process: check its options and its lock, run it and stop it."""

from __future__ import annotations

import importlib.util
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from medkd.runs.errors import did_you_mean
from medkd.runs.lock import FolderLock

from .supervise import supervised

__all__ = ["check_arguments", "check_lock", "run_snakemake"]

_OPTIONS = (
    "--data",
    "--output_dir",
    "--cores",
    "--seeds",
    "--tasks",
    "--rows",
    "--options",
    "--teacher",
    "--trust_plan",
)
# options that decide where jobs run and how many at once
_WHERE_JOBS_RUN = ("--executor", "-e", "--profile", "--workflow-profile", "--jobs", "-j")


def check_arguments(arguments: Sequence[str]) -> None:
    """Check options of Snakemake, whose own refusal is hundreds of lines.

    Raises:
        ValueError: for an unknown option or value, for a word that is neither, or if Snakemake is not installed.
    """
    if importlib.util.find_spec("snakemake") is None:
        raise ValueError('medkd experiment needs Snakemake: pip install -e ".[workflow]" in the clone of medkd')
    from snakemake.cli import get_argument_parser

    def refuse(message: str) -> NoReturn:
        unknown = [word for word in arguments if word in message and word.startswith("--")]
        hint = did_you_mean(unknown[0], _OPTIONS, count=1) if unknown else ""
        raise ValueError(f"Snakemake, to which all further options go: {message}{f' ({hint})' if hint else ''}")

    parser = get_argument_parser()
    parser.error = refuse
    if words := parser.parse_args(list(arguments)).targets:  # --dry-run True
        raise ValueError(
            f"Snakemake, to which all further options go: found {', '.join(words)}, expected options alone, no value for "
            "those that take none; --tasks, --rows and --seeds choose runs"
        )


def check_lock(folder: Path, arguments: Sequence[str], machine: str) -> None:
    """Check that no Snakemake of another machine has locked a folder that this process holds.

    Args:
        folder: of the experiment.
        arguments: of Snakemake; ``--unlock`` removes the lock.
        machine: on which the last Snakemake of this folder began.

    Raises:
        FileExistsError: if a Snakemake of another machine has locked the folder, or was killed there.
    """
    if _is_locked(folder, arguments) and machine != platform.node():
        raise FileExistsError(
            f"--output_dir {folder}: Snakemake has locked it on {machine}: if nothing runs there now, call once with --unlock"
        )


def run_snakemake(folder: Path, cores: int | None, arguments: Sequence[str], lock: FolderLock, file: Path) -> int:
    """Run the Snakefile in the folder of an experiment.

    A signal to end stops Snakemake as Ctrl-C does: it begins no further job, and each training ends with one line; on a
    cluster the scheduler stops them. The same happens when this process is killed, or its terminal closed.

    Args:
        folder: of the experiment.
        cores: number of runs at once. None: 1, or what a profile or an executor sets, for which the number would limit a
            whole cluster.
        arguments: further options of Snakemake.
        lock: of the folder, which Snakemake then holds too. Call `check_lock` before.
        file: the Snakefile.

    Returns:
        The exit code.
    """
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(file), "--directory", str(folder)]
    if _is_locked(folder, arguments):
        # this process holds the folder: no Snakemake of this machine runs, so the lock is that of a killed one
        print("note: the lock of a Snakemake that was killed is removed", flush=True)
        subprocess.run([*snakemake, "--unlock", "--quiet", "all"], check=True, capture_output=True)
    command = [*snakemake, "--keep-going", "--rerun-incomplete", "--rerun-triggers", "mtime"]
    if cores is not None or not any(word.split("=")[0] in _WHERE_JOBS_RUN for word in arguments):
        command += ["--cores", str(cores or 1)]
    if not {"--quiet", "-q", "--verbose"} & set(arguments):
        command += ["--quiet", "host", "reason", "progress"]
    command += arguments
    print(shlex.join(["snakemake", *command[3:]]), flush=True)
    with supervised(command, lock.descriptors) as process:
        return process.wait()


def _is_locked(folder: Path, arguments: Sequence[str]) -> bool:
    return any((folder / ".snakemake/locks").glob("*.lock")) and "--unlock" not in arguments
