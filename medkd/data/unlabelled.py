"""Images without labels beside the labelled ones of a training."""

from __future__ import annotations

from typing import Any

from monai.config import PathLike

from .datalist import dataset_property, load_datalist, load_unlabelled, subsample_cases

__all__ = ["UNLABELLED_CHOICES", "unlabelled_cases"]

UNLABELLED_CHOICES = ("none", "data", "rest", "all")
# what only a label tells
_OF_LABELS = ("label", "slices_with")


def unlabelled_cases(
    dataset_dir: PathLike, unlabelled: str = "data", training_cases: int | None = None, seed: int = 0
) -> list[dict[str, Any]]:
    """Return the images that a training uses without labels, as entries of a data list without ``"label"``.

    Args:
        dataset_dir: folder of the prepared data set.
        unlabelled: ``"none"``; ``"data"``: those that the data list names as unlabelled, which may be none; ``"rest"``: the
            labelled training cases that ``training_cases`` leaves out, without what their labels tell; ``"all"``: both.
        training_cases: number of labelled cases, see `subsample_cases`; 0: none, so that all others are the rest.
        seed: seed of the sampling of the labelled cases.

    Raises:
        FileNotFoundError: see `load_datalist`.
        ValueError: for another word, or if there is no such image where ``"rest"`` or ``"all"`` asks for them.
    """
    if unlabelled not in UNLABELLED_CHOICES:
        raise ValueError(f"--unlabelled: found {unlabelled!r}, expected one of {', '.join(UNLABELLED_CHOICES)}")
    if unlabelled == "none":
        return []
    entries = [] if unlabelled == "rest" else load_unlabelled(dataset_dir)
    if unlabelled != "data":
        entries += _rest(dataset_dir, training_cases, seed)
    if unlabelled == "rest" and not entries:
        raise ValueError(
            "--unlabelled rest: found no training case without a label, expected --training_cases N, which leaves some out"
        )
    if unlabelled == "all" and not entries:
        raise ValueError(
            f"--unlabelled all: found no unlabelled image in {dataset_dir} and no training case that --training_cases leaves "
            "out, expected one of them: add images with `medkd prepare ... --unlabelled FOLDER`"
        )
    return entries


def _rest(dataset_dir: PathLike, training_cases: int | None, seed: int) -> list[dict[str, Any]]:
    """Return the training cases that a sample leaves out, without what their labels tell."""
    if training_cases is None or not dataset_property(dataset_dir, "training", []):
        return []
    entries = load_datalist(dataset_dir, "training")
    sampled = [] if training_cases == 0 else subsample_cases(entries, training_cases, seed)
    names = {entry["case"] for entry in sampled}
    return [_without_label(entry) for entry in entries if entry["case"] not in names]


def _without_label(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in _OF_LABELS}
