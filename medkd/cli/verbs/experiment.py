"""`medkd experiment`: the runs of a table, by Snakemake."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..checks import check_required
from ..option import Option
from ..usage import UsageError
from ..verb import Command, Verb
from ..words import read_value

__all__ = ["VERB"]

_LISTS = ("seeds", "tasks", "rows")
_MAPPINGS = ("options", "teacher")


def _run(command: Command) -> None:
    settings = command.settings
    if len(command.names) != 1:
        found = " ".join(command.names) or "none"
        raise UsageError(f"experiment: found {found}, expected the name of one experiment, or a YAML file")
    given = [name for name in ("data", "output_dir") if settings[name]]
    check_required("experiment", given, ("data", "output_dir"))
    changes: dict[str, Any] = {name: settings[name] for name in _LISTS if settings[name]}
    changes |= {name: _read_mapping(name, settings[name]) for name in _MAPPINGS if settings[name]}
    data = _read_mapping("data", settings["data"])
    from medkd.experiments import experiment  # imports pandas

    from ..installed_bundles import installed_bundles

    folder = Path(settings["output_dir"])
    experiment(command.names[0], data, folder, changes, settings["cores"], command.rest, installed_bundles())


def _read_mapping(name: str, words: Sequence[str]) -> dict[str, Any]:
    """Read an option that is repeated: ``NAME=VALUE``, or several names and values as Python or YAML writes them.

    Raises:
        ValueError: for a value of another form.
    """
    mapping: dict[str, Any] = {}
    for word in words:
        value = read_value([word])
        if isinstance(value, dict) and value:
            mapping |= value
        elif isinstance(value, str) and "=" in value:
            key, _, text = value.partition("=")
            # a folder may be named like a number
            mapping[key] = text if name == "data" else read_value([text])
        else:
            raise ValueError(f"--{name}: found {word!r}, expected the form NAME=VALUE")
    return mapping


VERB = Verb(
    "experiment",
    "Run all trainings of a table, teachers first, by Snakemake.",
    _run,
    (
        Option("data", "mapping", "Prepared data set of a task; may be repeated.", repeat=True, metavar="TASK=FOLDER"),
        Option("output_dir", "path", "Folder for all runs; called again it does what is missing."),
        Option("cores", "count", "Runs at once on this machine (default: 1, or as a profile says)."),
        Option("seeds", "list", "Seeds in the place of the plan's.", metavar="0 1 ..."),
        Option("tasks", "list", "Some of the plan's tasks.", metavar="TASK ..."),
        Option("rows", "list", "Some of the plan's rows.", metavar="ROW ..."),
        Option("options", "mapping", "Option of every run, beside the plan's; may be repeated.", repeat=True),
        Option("teacher", "mapping", "Option of the teachers; may be repeated.", repeat=True),
    ),
    options="snakemake",
    names="NAME|FILE.yaml",
    notes="--data and --output_dir are required. All further options are Snakemake's: --executor slurm, --profile FOLDER, "
    '--dry-run, ... Lists and mappings may be given as Python or YAML writes them: --seeds "[0, 1]".',
)
