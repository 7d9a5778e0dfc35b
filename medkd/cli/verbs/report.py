"""`medkd report`: write the table of runs over several seeds, or of an experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medkd.configs.option import Option
from medkd.runs.errors import UsageError

from ..checks import check_required
from ..run_folders import folders_by_title, read_runs
from ..verb import Command, Verb
from ..words import read_value

__all__ = ["RUN", "TRUST_RECORD", "VERB"]

_REQUIRED = ("output_dir",)
RUN = Option(
    "run",
    "mapping",
    "Title and folders of runs, one folder per seed; may be repeated.",
    repeat=True,
    metavar="TITLE=FOLDER,FOLDER",
)
TRUST_RECORD = Option(
    "trust_record",
    "flag",
    "Execute the records of the runs as configurations: to measure networks beyond medkd's. For runs that you trust.",
)


def _run(command: Command) -> None:
    settings = command.settings
    sources = {name: settings[name] for name in ("run", "runs", "experiment") if settings[name]}
    sources |= {"folders": command.names} if command.names else {}
    if len(sources) != 1:
        found = " and ".join(sources) or "none"
        raise UsageError(
            f"medkd report needs --run, --runs, --experiment or folders of runs: found {found}, expected one"
        )
    check_required("report", [name for name, value in settings.items() if value], _REQUIRED)
    output_dir = Path(settings["output_dir"])
    if "experiment" in sources:
        _report_experiment(Path(settings["experiment"]), output_dir, settings)
    else:
        _report_runs(_read_sources(sources), output_dir, settings)


def _read_sources(sources: dict[str, Any]) -> dict[str, list[str]]:
    if "run" in sources:
        return read_runs(sources["run"])
    if "folders" in sources:
        return folders_by_title(sources["folders"])
    runs = read_value([sources["runs"]])
    if not isinstance(runs, dict) or not runs:
        raise UsageError(
            f"--runs: found {sources['runs']!r}, expected titles and folders: \"{{'kd': ['KD_0', 'KD_1']}}\""
        )
    return {str(title): [folders] if isinstance(folders, str) else list(folders) for title, folders in runs.items()}


def _report_runs(runs: dict[str, list[str]], output_dir: Path, settings: dict[str, Any]) -> None:
    if (output_dir / "table.csv").exists():
        raise FileExistsError(f"--output_dir {output_dir} already holds results (table.csv): choose another folder")
    for title, folders in runs.items():
        for folder in folders:
            if not Path(folder).is_dir():
                raise FileNotFoundError(f"run {title}: {folder}: no such folder")
    from medkd.experiments import write_and_print  # imports pandas
    from medkd.reports.tables import experiment_of_runs

    experiment = experiment_of_runs(runs, settings["baseline"], bool(settings["trust_record"]))
    experiment.title = settings["title"] or experiment.title
    write_and_print(experiment, output_dir, settings["html"])


def _report_experiment(folder: Path, output_dir: Path, settings: dict[str, Any]) -> None:
    if settings["baseline"] is not None:
        raise UsageError("--baseline: has no effect with --experiment, whose plan names the baseline")
    from medkd.experiments import read_plan, report  # imports pandas

    report(read_plan(folder), output_dir, settings["html"], bool(settings["trust_record"]), settings["title"])


VERB = Verb(
    "report",
    "Write a table of methods, with the mean and the standard deviation over seeds.",
    _run,
    (
        RUN,
        Option("runs", "mapping", "All titles and folders in one option.", metavar="\"{'TITLE': ['FOLDER', ...]}\""),
        Option("experiment", "path", "Output folder of `medkd experiment`."),
        Option("baseline", "text", "Title of the runs with which the others are compared."),
        Option("output_dir", "path", "Folder for table.md, table.tex and table.csv."),
        Option("title", "text", "Title of the tables and the page; None: that of the plan, or the names of the tasks."),
        Option("html", "flag", "Also write an HTML page, report.html."),
        TRUST_RECORD,
    ),
    required=_REQUIRED,
    names="[FOLDER ...]",
    notes="Folders without a title are grouped by the method in their records: medkd report KD_0 KD_1 S_0 --output_dir T.",
)
