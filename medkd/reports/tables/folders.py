"""An experiment out of single runs, of which nothing but the folders is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medkd.runs import RunFolder

from .experiment import Experiment

__all__ = ["experiment_of_runs"]


def experiment_of_runs(
    runs: Mapping[str, str | Path | Sequence[str | Path]], baseline: str | None = None
) -> Experiment:
    """The runs as rows of one task a bundle; teacher and student alone are found by their records.

    Args:
        runs: title -> output folder of a run, or of its runs with several seeds; unfinished ones may be among them.
        baseline: title that differences are to; None: the run that learned from labels alone, if there is one.

    Raises:
        ValueError: when the baseline is no title, two runs of a title have one seed, or no run has a record.
    """
    runs = {str(title): of for title, of in runs.items()}
    if baseline is not None and baseline not in runs:
        raise ValueError(f"baseline: found {baseline!r}, expected one of {', '.join(runs)}")
    folders = {title: [Path(f) for f in ([of] if isinstance(of, str | Path) else of)] for title, of in runs.items()}
    records = {title: [_record(folder) for folder in of] for title, of in folders.items()}
    known = [Path(str(r["bundle_root"])).name for of in records.values() for r in of if "bundle_root" in r]
    if not known:
        raise ValueError(f"runs: no config.yaml in any of {', '.join(map(str, sum(folders.values(), [])))}")
    tasks: dict[str, dict[str, dict[int, Path]]] = {task: {} for task in dict.fromkeys(known)}
    for title, of in folders.items():
        # a run that left nothing stands beside the others of its title, else in the first task
        own = [Path(str(r["bundle_root"])).name for r in records[title] if "bundle_root" in r]
        seeds = _seeds(title, of)
        for folder, record, seed in zip(of, records[title], seeds, strict=True):
            task = Path(str(record["bundle_root"])).name if "bundle_root" in record else (own or known)[0]
            tasks[task].setdefault(title, {})[seed] = folder
    methods = {title: next((r["method"] for r in of if "method" in r), None) for title, of in records.items()}
    return Experiment(
        title=f"Runs of {', '.join(tasks)}",
        runs=tasks,
        metrics=["dice", "iou", "hd95"],
        baseline=baseline or next((title for title, method in methods.items() if method == "none"), ""),
        teacher=next((title for title, method in methods.items() if method == "teacher"), None),
    )


def _record(folder: Path) -> dict[str, Any]:
    """Return the record of a run; empty if the run left none."""
    run = RunFolder(folder)
    return run.require_config() if run.config.exists() else {}


def _seeds(title: str, folders: Sequence[Path]) -> list[int]:
    """As the runs recorded them; one that recorded nothing gets the next free number."""
    found: dict[Path, int] = {}
    for folder in folders:
        if environment := RunFolder(folder).read_environment():
            seed = environment["seed"]
            if seed in found.values():
                raise ValueError(f"run {title}: {folder}: a second run with seed {seed}")
            found[folder] = seed
    free = (number for number in range(len(folders) + len(found) + 1) if number not in found.values())
    return [found[folder] if folder in found else next(free) for folder in folders]
