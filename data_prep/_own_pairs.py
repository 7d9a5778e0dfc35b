"""Images and labels of a user's own folders: which file belongs to which."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from medkd.io import VOLUMES

from ._common import DiscoveredCases, files_by_name, pair_up

__all__ = ["find_pairs"]

# What stands behind a case's name where images and labels are told apart by it; _0000 is nnU-Net's first channel.
IMAGE_ENDS = ("_0000", "_image", "_img")
LABEL_ENDS = ("_label", "_mask", "_seg")


def find_pairs(images: Path, labels: Path) -> DiscoveredCases:
    """Pair by name: equal but for the suffix, or for `IMAGE_ENDS` and `LABEL_ENDS`. A sub-folder of images is a DICOM case.

    Raises:
        ValueError: both folders are one, and a file's name does not tell whether it is an image or a label.
    """
    by_image, by_label = files_by_name(images, VOLUMES), files_by_name(labels, VOLUMES)
    if images.samefile(labels):
        _check_ends(images, by_image)
        by_image = {stem: paths for stem, paths in by_image.items() if _cut(stem, IMAGE_ENDS) != stem}
        by_label = {stem: paths for stem, paths in by_label.items() if stem not in by_image}
    for folder in sorted(path for path in images.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if folder.resolve() != labels.resolve():
            suffix = next((suffix for suffix in VOLUMES if folder.name.lower().endswith(suffix)), "")
            by_image.setdefault(folder.name.removesuffix(suffix), []).append(folder)
    # Labels first: scan_0000 of scan_0000_seg is a number, not a channel, and stays.
    label_cases = _cases(by_label, LABEL_ENDS, by_image)
    found = pair_up(_cases(by_image, IMAGE_ENDS, label_cases), label_cases, images, labels)
    for case, (image, label) in list(found.files.items()):
        if image.samefile(label):
            del found.files[case]
            found.refused[case] = f"{image} and its mask {label} are the same file"
    return found


def _check_ends(folder: Path, stems: Collection[str]) -> None:
    if unclear := next((stem for stem in stems if _cut(stem, (*IMAGE_ENDS, *LABEL_ENDS)) == stem), None):
        raise ValueError(
            f"--images and --labels name the same folder {folder}: found {unclear}, expected names that end in "
            f"{', '.join(IMAGE_ENDS)} (images) or {', '.join(LABEL_ENDS)} (labels)."
        )


def _cases(files: dict[str, list[Path]], ends: Collection[str], partners: Collection[str]) -> dict[str, list[Path]]:
    """Files by name of their case; a name that has a partner as it is keeps its end."""
    cases: dict[str, list[Path]] = {}
    for stem, paths in files.items():
        cases.setdefault(stem if stem in partners else _cut(stem, ends), []).extend(paths)
    return cases


def _cut(stem: str, ends: Collection[str]) -> str:
    end = next((end for end in ends if stem.lower().endswith(end)), "")
    return stem[: len(stem) - len(end)]
