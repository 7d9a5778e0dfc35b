"""Images and labels of a user's own folders: which file belongs to which."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from medkd.data import VOLUMES

from ._common import Found, files_by_name, pair_up

__all__ = ["find_pairs"]

# What stands behind a case's name where images and labels are told apart by it; _0000 is nnU-Net's first channel.
IMAGE_ENDS = ("_0000", "_image", "_img")
LABEL_ENDS = ("_label", "_mask", "_seg")


def find_pairs(images: Path, labels: Path) -> Found:
    """Pair by name: equal but for the suffix, or for `IMAGE_ENDS` and `LABEL_ENDS`. A sub-folder of images is a DICOM case."""
    by_image = files_by_name(images, VOLUMES)
    for folder in sorted(path for path in images.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if folder.resolve() != labels.resolve():
            by_image.setdefault(folder.name, []).append(folder)
    by_label = files_by_name(labels, VOLUMES)
    return pair_up(
        _without_ends(by_image, IMAGE_ENDS, by_label), _without_ends(by_label, LABEL_ENDS, by_image), images, labels
    )


def _without_ends(
    files: Mapping[str, list[Path]], ends: Collection[str], partners: Collection[str]
) -> dict[str, list[Path]]:
    cases: dict[str, list[Path]] = {}
    for stem, paths in files.items():
        end = next((end for end in ends if stem.lower().endswith(end)), "")
        case = stem if stem in partners else stem[: len(stem) - len(end)]
        cases.setdefault(case, []).extend(paths)
    return cases
