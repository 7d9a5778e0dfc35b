"""`medkd figures`: plot runs side by side, or the images and soft labels of PLC-KD's team."""

from __future__ import annotations

from medkd.runs.errors import UsageError

from ..bundle_verbs import run_command
from ..run_folders import read_runs
from ..verb import MODE, OVERLAY, Command, Verb
from .report import RUN

__all__ = ["VERB"]

_REQUIRED = ("dataset_dir", "output_dir")


def _run(command: Command) -> None:
    if command.settings["run"]:
        runs = read_runs(command.settings["run"])
        if several := [title for title, folders in runs.items() if len(folders) > 1]:
            raise UsageError(f"--run {several[0]}: found {len(runs[several[0]])} folders, expected one")
        command.options["runs"] = {title: folders[0] for title, folders in runs.items()}
    if ("runs" in command.options) == ("teacher" in command.options):
        raise UsageError("medkd figures needs --run (compares predictions of runs) or --teacher (shows PLC-KD's team)")
    run_command(command, _REQUIRED, "comparison" if "runs" in command.options else "figures")


VERB = Verb(
    "figures",
    "Plot predictions of runs side by side (--run TITLE=FOLDER), or PLC-KD's team (--teacher, assistants).",
    _run,
    (RUN, MODE, OVERLAY),
    task="recorded",
    required=_REQUIRED,
    options="config",
    files_of=("comparison", "figures"),
    notes="All runs in one option: --runs \"{'title': 'FOLDER'}\".",
)
