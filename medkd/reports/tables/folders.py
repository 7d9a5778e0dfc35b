"""An experiment made of single runs, of which only the folders are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medkd.runs.results import trained_run

from .experiment import Experiment

__all__ = ["experiment_of_runs"]


def experiment_of_runs(
    runs: Mapping[str, str | Path | Sequence[str | Path]], baseline: str | None = None, trust_record: bool = False
) -> Experiment:
    """Return an experiment with the runs as rows, and one task for each bundle.

    Teacher and student alone are recognised by their records.

    Args:
        runs: title -> output folder of a run, or folders of runs with several seeds. Runs may be unfinished.
        baseline: title of the row that differences are to; None: the student alone, if there is one.
        trust_record: whether the records are executed as configurations, see `medkd.runs.load_parser`.

    Raises:
        ValueError: if the baseline is not a title, two runs of a title have the same seed, or no run has a record.
    """
    folders = {
        str(title): [Path(folder) for folder in ([paths] if isinstance(paths, str | Path) else paths)]
        for title, paths in runs.items()
    }
    if baseline is not None and baseline not in folders:
        raise ValueError(f"--baseline: found {baseline!r}, expected one of {', '.join(folders)}")
    records = {title: [_record(folder) for folder in paths] for title, paths in folders.items()}
    bundles = [name for of_title in records.values() for record in of_title if (name := _bundle(record))]
    if not bundles:
        paths = [str(folder) for of_title in folders.values() for folder in of_title]
        raise ValueError(f"--run: no config.yaml in any of {', '.join(paths)}")
    tasks: dict[str, dict[str, dict[int, Path]]] = {task: {} for task in dict.fromkeys(bundles)}
    for title, of_title in folders.items():
        # a run without files stands beside the others of its title, else in the first task
        fallback = next(filter(None, map(_bundle, records[title])), bundles[0])
        for folder, record, seed in zip(of_title, records[title], _seeds(title, of_title), strict=True):
            tasks[_bundle(record) or fallback].setdefault(title, {})[seed] = folder
    methods = {
        title: next((record["method"] for record in of_title if "method" in record), None)
        for title, of_title in records.items()
    }
    return Experiment(
        title=f"Runs of {', '.join(tasks)}",
        runs=tasks,
        metrics=["dice", "iou", "hd95"],
        baseline=baseline or next((title for title, method in methods.items() if method == "none"), ""),
        teacher=next((title for title, method in methods.items() if method == "teacher"), None),
        trust_record=trust_record,
    )


def _record(folder: Path) -> dict[str, Any]:
    """Return the record of a run, of an evaluation that of its model's training; empty if there is none."""
    run = trained_run(folder)
    return run.require_config() if run.config.exists() else {}


def _bundle(record: Mapping[str, Any]) -> str:
    """Return the name of the bundle of a run; an empty text for a run without a record."""
    return Path(str(record["bundle_root"])).name if "bundle_root" in record else ""


def _seeds(title: str, folders: Sequence[Path]) -> list[int]:
    """Return the recorded seed of each run; a run without a record gets the next unused number."""
    seeds: dict[Path, int] = {}
    for folder in folders:
        if environment := trained_run(folder).read_environment():
            seed = environment["seed"]
            if seed in seeds.values():
                raise ValueError(f"run {title}: {folder}: a second run with seed {seed}")
            seeds[folder] = seed
    unused = (number for number in range(len(folders) + len(seeds) + 1) if number not in seeds.values())
    return [seeds[folder] if folder in seeds else next(unused) for folder in folders]
