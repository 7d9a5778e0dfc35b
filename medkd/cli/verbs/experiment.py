"""`medkd experiment`: run the trainings of a table with Snakemake."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medkd.configs.bundles import BUNDLES, tasks
from medkd.configs.option import Option
from medkd.runs.errors import UsageError, did_you_mean

from ..checks import check_required, with_hint
from ..method_check import check_run_options
from ..verb import Command, Verb
from ..words import read_value

if TYPE_CHECKING:
    from medkd.experiments import Bundles

__all__ = ["VERB", "installed_bundles"]

_REQUIRED = ("data", "output_dir")
_LISTS = ("seeds", "tasks", "rows")
_MAPPINGS = ("options", "teacher")


def _run(command: Command) -> None:
    settings = command.settings
    if len(command.names) != 1:
        found = " ".join(command.names) or "none"
        raise UsageError(f"experiment: found {found}, expected the name of one experiment, or a YAML file")
    options = [name for name, value in settings.items() if value]
    check_required("experiment", options, _REQUIRED, lambda: _misspelt(command.rest))
    changes: dict[str, Any] = {name: settings[name] for name in _LISTS if settings[name]}
    changes |= {name: _read_mapping(name, settings[name]) for name in _MAPPINGS if settings[name]}
    data = _read_mapping("data", settings["data"])
    from medkd.experiments import experiment  # imports pandas

    from ..estimate import print_estimate

    folder = Path(settings["output_dir"])
    trust_plan, bundles = settings["trust_plan"] or False, installed_bundles()
    cores = settings["cores"]
    experiment(command.names[0], data, folder, changes, cores, command.rest, bundles, trust_plan, print_estimate)


def installed_bundles() -> Bundles:
    """Return the bundles of this machine, with the check of a run's options."""
    from medkd.experiments import Bundles  # imports pandas

    return Bundles(BUNDLES, tasks(), check_run_options)


def _misspelt(words: Sequence[str]) -> list[str]:
    """Return those of Snakemake's options that resemble a required one, with a hint."""
    names = [word[2:].partition("=")[0] for word in words if word.startswith("--")]
    return [with_hint(name, _REQUIRED) for name in names if did_you_mean(name, _REQUIRED)]


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
            raise UsageError(f"--{name}: found {word!r}, expected the form NAME=VALUE")
    return mapping


VERB = Verb(
    "experiment",
    "Run all trainings of an experiment with Snakemake, teachers first, and write its table.",
    _run,
    (
        Option("data", "mapping", "Prepared data set of a task; may be repeated.", repeat=True, metavar="TASK=FOLDER"),
        Option("output_dir", "path", "Folder for all runs; the same command again continues what is missing."),
        Option(
            "cores", "count", "Number of parallel runs on this machine (default: 1, or that of a Snakemake profile)."
        ),
        Option("seeds", "list", "Seeds, instead of those of the plan.", metavar="0 1 ..."),
        Option("tasks", "list", "Tasks of the plan that are run.", metavar="TASK ..."),
        Option("rows", "list", "Rows of the plan that are run.", metavar="ROW ..."),
        Option(
            "options",
            "mapping",
            "Option for every run for which no task, row or kind of run of the plan sets it; may be repeated.",
            repeat=True,
        ),
        Option(
            "teacher",
            "mapping",
            "Option for the teachers for which no task of the plan sets it; may be repeated.",
            repeat=True,
        ),
        Option("trust_plan", "flag", "Execute code of the plan: $ expressions, classes that it names, its overlays."),
    ),
    required=_REQUIRED,
    options="snakemake",
    names="NAME|FILE.yaml",
    notes="Other options are passed to Snakemake: --executor slurm, --profile FOLDER, --dry-run (lists the runs, and estimates "
    'their time from a few steps of each kind), ... Lists and mappings may be written in Python or YAML: --seeds "[0, 1]".',
)
