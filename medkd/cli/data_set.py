"""Check that a data set is one of the kind that a task reads, before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medkd.runs.json_files import read_object

__all__ = ["check_data_set", "check_has_labels", "count_cases"]

_KINDS = {True: "volumes", False: "pictures"}
# of stored images; another suffix tells nothing
_KIND_OF = {".b2nd": True, **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"), False)}


def check_has_labels(options: Mapping[str, Any]) -> None:
    """Check that a training learns from labels only where its data set has some.

    Args:
        options: ids of the configuration and their values.

    Raises:
        ValueError: for a data set without labels where ``--training_cases`` is not 0.
    """
    folder = options.get("dataset_dir")
    datalist = read_object(Path(folder) / "datalist.json") if isinstance(folder, str) else None
    if (datalist or {}).get("without_labels") and options.get("training_cases") != 0:
        raise ValueError(
            f"--dataset_dir {folder}: found a data set without labels, expected one with labels; a student learns from a "
            "teacher alone by medkd distill --teacher PATH --training_cases 0"
        )


def count_cases(options: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, int] | None:
    """Return the numbers of labelled and unlabelled cases of a distillation, as its data list tells them.

    Args:
        options: ids of the configuration and their values.
        config: merged configuration of the task.

    Returns:
        ``labelled`` and ``unlabelled``; None for a folder that is no data set, which is left to its reader.
    """
    folder = options.get("dataset_dir")
    datalist = read_object(Path(folder) / "datalist.json") if isinstance(folder, str) else None
    lists = ((datalist or {}).get(name) for name in ("training", "unlabelled"))
    training, listed = (cases if isinstance(cases, list) else [] for cases in lists)
    chosen = options.get("training_cases", config["training_cases"])
    source = options.get("unlabelled", config["unlabelled"])
    chosen = len(training) if chosen in (None, "$None") else chosen
    if datalist is None or not isinstance(chosen, int):  # MONAI evaluates the expression of an overlay
        return None
    labelled = min(chosen, len(training))
    rest = len(training) - labelled
    unlabelled = {"none": 0, "data": len(listed), "rest": rest, "all": len(listed) + rest}.get(source)
    return None if unlabelled is None else {"labelled": labelled, "unlabelled": unlabelled}


def check_data_set(task: str, options: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Check that ``--dataset_dir`` holds volumes for a task of volumes, and pictures for one of pictures.

    A folder that is no data set is left to its reader.

    Args:
        task: name of the bundle.
        options: ids of the configuration and their values.
        config: merged configuration of the task.

    Raises:
        ValueError: for a data set of the other kind.
    """
    folder = options.get("dataset_dir")
    datalist = read_object(Path(folder) / "datalist.json") if isinstance(folder, str) else None
    lists = map((datalist or {}).get, ("training", "unlabelled", "validation", "test"))
    entries = next((value for value in lists if isinstance(value, list) and value), [])
    images = [entry["image"] for entry in entries if isinstance(entry, dict) and "image" in entry]
    if not images:
        return
    first = images[0][0] if isinstance(images[0], list) and images[0] else images[0]
    found, expected = _KIND_OF.get(Path(str(first)).suffix), "spacing" in config
    if found is not None and found != expected:
        name = (datalist or {}).get("name")
        raise ValueError(
            f"--dataset_dir {folder}: found a data set of {_KINDS[found]} (prepared for {name}), expected {_KINDS[expected]}: "
            f"the task is {task}{', which the model was trained for' if 'model' in options else ''}"
        )
