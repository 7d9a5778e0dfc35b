"""Images without labels beside the labelled ones of a training."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import Dataset
from monai.transforms import MapTransform
from torch.utils.data import Subset

from medkd.io.paths import PathLike

from .datalist import load_datalist, load_unlabelled, subsample_cases
from .dataset_properties import dataset_property

__all__ = [
    "UNLABELLED_CHOICES",
    "PlaceholderLabeld",
    "count_cases",
    "epoch_indices",
    "labelled_items",
    "training_set",
    "unlabelled_cases",
]

UNLABELLED_CHOICES = ("none", "data", "rest", "all")
# what only a label tells
_OF_LABELS = ("label", "slices_with")


def training_set(
    dataset_dir: PathLike,
    training_cases: int | None = None,
    seed: int = 0,
    unlabelled: str = "data",
    has_teacher: bool = True,
) -> list[dict[str, Any]]:
    """Return the cases that a student learns from, and print what they are: labelled cases first, then unlabelled ones.

    Args:
        dataset_dir: folder of the prepared data set.
        training_cases: number of labelled cases, see `subsample_cases`; 0: none, where there are unlabelled ones.
        seed: seed of the sampling of the labelled cases.
        unlabelled: see `unlabelled_cases`.
        has_teacher: whether the method has a teacher. Without one, nothing can be learned from unlabelled images.

    Returns:
        Entries of the data list. If some are unlabelled, each says by ``"labelled"`` whether it has a label.

    Raises:
        FileNotFoundError: see `load_datalist`.
        ValueError: see `unlabelled_cases`; if there is nothing to learn from.
    """
    if not has_teacher:
        if training_cases == 0:
            raise ValueError("--training_cases 0: found a method without a teacher, expected one that learns from it")
        if unlabelled not in ("none", "data"):
            print(f"note: --unlabelled {unlabelled} has no effect: the method learns from labels alone", flush=True)
        unlabelled = "none"
    others = unlabelled_cases(dataset_dir, unlabelled, training_cases, seed)
    if training_cases == 0 and not others:
        raise ValueError(
            f"--training_cases 0: found no unlabelled image with --unlabelled {unlabelled}, expected some: --unlabelled rest "
            "takes the training images without their labels"
        )
    labelled = [] if training_cases == 0 else load_datalist(dataset_dir, "training")
    labelled = subsample_cases(labelled, training_cases, seed) if labelled else []
    if not others:
        return labelled
    print(f"training on {len(labelled)} labelled and {len(others)} unlabelled cases", flush=True)
    return [{**entry, "labelled": True} for entry in labelled] + [{**entry, "labelled": False} for entry in others]


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


def is_labelled(entry: Mapping[str, Any]) -> bool:
    """Return whether an entry of a data list has a label."""
    return bool(entry.get("labelled", True))


def count_cases(cases: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the numbers of labelled and unlabelled cases.

    Example:
        >>> count_cases([{"case": "a"}, {"case": "b", "labelled": False}])
        {'labelled': 1, 'unlabelled': 1}
    """
    labelled = sum(map(is_labelled, cases))
    return {"labelled": labelled, "unlabelled": len(cases) - labelled}


def count_labelled(dataset: Dataset) -> int:
    """Return the number of items with a label, which come first, of a data set of entries or of slices of entries."""
    return sum(is_labelled(item[0] if isinstance(item, tuple) else item) for item in dataset.data)


def epoch_indices(dataset: Dataset) -> range:
    """Return the indices of the items that an epoch goes through: those with a label, or all where none has one.

    Example:
        >>> epoch_indices(Dataset([{"labelled": True}, {"labelled": False}]))
        range(0, 1)
    """
    return range(count_labelled(dataset) or len(dataset))


def labelled_items(dataset: Dataset) -> Any:
    """Return the part of a data set that has labels; the data set itself if all of it has."""
    count = count_labelled(dataset)
    return dataset if count == len(dataset) else Subset(dataset, range(count))


class PlaceholderLabeld(MapTransform):
    """Dictionary transform that gives an unlabelled image a label of zeros, which nothing reads: batches hold labels.

    Args:
        keys: keys of labels. An item that has one passes unchanged.
        image_key: key of the image (C, *spatial), whose size and type the label has.

    Example:
        >>> PlaceholderLabeld("label")({"image": torch.ones(3, 2, 2)})["label"].sum()
        tensor(0.)
    """

    def __init__(self, keys: KeysCollection, image_key: str = "image") -> None:
        super().__init__(keys, allow_missing_keys=True)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item, with a label."""
        missing = [key for key in self.keys if key not in data]
        return {**data, **{key: torch.zeros_like(data[self.image_key][:1]) for key in missing}}
