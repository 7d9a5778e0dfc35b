"""Snakemake as a process: its options, its lock, and how it is stopped."""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from medkd.cli.commands import BUNDLES
from medkd.runs.lock import FolderLock

__all__ = ["check_arguments", "check_lock", "run_snakemake"]

# options that say where jobs run, and how many
_ELSEWHERE = ("--executor", "-e", "--profile", "--workflow-profile", "--jobs", "-j")


def check_arguments(arguments: Sequence[str]) -> None:
    """Whether Snakemake knows them: its own refusal is hundreds of lines.

    Raises:
        ValueError: for an unknown option, a value that it does not take, or where Snakemake is not installed.
    """
    if importlib.util.find_spec("snakemake") is None:
        raise ValueError('medkd experiment needs Snakemake: pip install "medkd[workflow]"')
    from snakemake.cli import get_argument_parser

    def refused(message: str) -> None:
        ours = ("--data", "--output_dir", "--cores", "--seeds", "--tasks", "--rows", "--options", "--teacher")
        near = [get_close_matches(word, ours, n=1) for word in arguments if word in message and word.startswith("--")]
        hint = f" (did you mean {near[0][0]}?)" if near and near[0] else ""
        raise ValueError(f"Snakemake, to which all further options go: {message}{hint}")

    parser = get_argument_parser()
    parser.error = refused
    parser.parse_args(list(arguments))


def check_lock(folder: Path, arguments: Sequence[str], machine: str) -> None:
    """Whether a Snakemake may begin in a folder whose lock on this machine is ours.

    Args:
        machine: on which Snakemake was begun in this folder the last time.

    Raises:
        FileExistsError: where a Snakemake of another machine has locked the folder, or was killed there.
    """
    if _is_locked(folder, arguments) and machine != platform.node():
        raise FileExistsError(
            f"output_dir {folder}: Snakemake has locked it on {machine}: if nothing runs there now, call once with --unlock"
        )


def run_snakemake(folder: Path, cores: int | None, arguments: Sequence[str], lock: FolderLock) -> int:
    """Runs the Snakefile on an experiment's folder; its exit code.

    Interrupted or ended, it stops as by Ctrl-C: it begins nothing more, and its trainings end in a line each, on a cluster by
    the scheduler.

    Args:
        cores: runs at once; None: 1, or as a profile or an executor says, for which it would be the limit of a whole cluster.
        lock: of the folder, which Snakemake then holds too; `check_lock` comes before.
    """
    snakemake = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(BUNDLES / "Snakefile"),
        "--directory",
        str(folder),
    ]
    if _is_locked(folder, arguments):
        # nobody on this machine is at work in the folder, as its lock shows: the lock is a killed Snakemake's
        print("note: the lock of a Snakemake that was killed is removed", flush=True)
        subprocess.run([*snakemake, "--unlock", "--quiet", "all"], check=True, capture_output=True)
    command = [*snakemake, "--keep-going", "--rerun-incomplete", "--rerun-triggers", "mtime"]
    if cores is not None or not any(word.split("=")[0] in _ELSEWHERE for word in arguments):
        command += ["--cores", str(cores or 1)]
    if not {"--quiet", "-q", "--verbose"} & set(arguments):
        command += ["--quiet", "host", "reason"]
    command += arguments
    print(shlex.join(["snakemake", *command[3:]]), flush=True)
    # what a script put into the background ignores Ctrl-C, and its children would inherit that
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    # a session of its own: a terminal's Ctrl-C comes to us alone, and is handed on below
    process = subprocess.Popen(command, start_new_session=True, pass_fds=lock.descriptors)
    signal.signal(signal.SIGINT, before)
    try:
        return process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGINT)
        process.wait()
        raise


def _is_locked(folder: Path, arguments: Sequence[str]) -> bool:
    return any((folder / ".snakemake/locks").glob("*.lock")) and "--unlock" not in arguments
