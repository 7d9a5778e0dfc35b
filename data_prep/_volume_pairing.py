"""Pairing of volumes, of one channel or several, with their label maps."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from medkd.io import VOLUMES, discover_channels, is_hidden
from medkd.io.beside import print_skipped

from ._cases import DiscoveredCases
from ._other_files import other_files, print_other_files
from ._pairing import (
    IMAGE_ENDINGS,
    LABEL_ENDINGS,
    by_case,
    check_endings,
    composed,
    files_by_name,
    pair_images,
    refuse_same_files,
    single,
    without_channels,
    without_ending,
)

__all__ = ["NAMED_BY_OPTION", "pair_volumes"]

NAMED_BY_OPTION = "medkd prepare nifti --channels NAME,NAME"

# A label map in the folder of its case: seg.nii.gz, a_seg.nii.gz, BraTS-GLI-00000-000-seg.nii.gz.
LABEL = re.compile(rf"(?:.*[-_. ])?(?:{'|'.join(ending[1:] for ending in LABEL_ENDINGS)})", re.IGNORECASE)


def pair_volumes(
    images: Path,
    labels: Path,
    channels: Sequence[str] = (),
    is_case_folder: Callable[[Path], bool] = Path.is_dir,
    named_by: str = NAMED_BY_OPTION,
) -> DiscoveredCases:
    """Pair volumes with label maps by the names of their cases.

    Args:
        images: folder of volumes in the formats of `medkd.io.VOLUMES`.
        labels: folder of label maps; it may be the same folder.
        channels: names of the channels. Of several, the forms of `discover_channels` are read.
        is_case_folder: whether a sub-folder of images of one channel counts as a case.
        named_by: what names the channels, for the message on a case that has several.

    Raises:
        ValueError: see `_pair_single` and `_pair_channels`.
    """
    if len(channels) > 1:
        return _pair_channels(images, labels, channels)
    return _pair_single(images, labels, is_case_folder, named_by)


def _pair_single(
    images: Path,
    labels: Path,
    is_case_folder: Callable[[Path], bool],
    named_by: str,
) -> DiscoveredCases:
    """Pair volumes with label maps by name, ignoring the suffix, `IMAGE_ENDINGS` and `LABEL_ENDINGS`.

    Args:
        images: folder of volumes in the formats of `medkd.io.VOLUMES`, or of sub-folders with a DICOM series each.
        labels: folder of label maps; it may be the same folder.
        is_case_folder: whether a sub-folder of images counts as a case.
        named_by: what names the channels, for the message on a case that has several.

    Raises:
        ValueError: both folders are one, and a name does not show whether the file is an image or a label.
    """
    image_files, label_files = files_by_name(images, VOLUMES), files_by_name(labels, VOLUMES)
    if images.samefile(labels):
        check_endings(images, image_files)
        image_files = {
            stem: paths for stem, paths in image_files.items() if without_ending(stem, IMAGE_ENDINGS) != stem
        }
        label_files = {stem: paths for stem, paths in label_files.items() if stem not in image_files}
    folders = [path for path in sorted(images.iterdir()) if path.is_dir() and not is_hidden(path)]
    folders = [path for path in folders if path.resolve() != labels.resolve() and is_case_folder(path)]
    for folder in folders:
        suffix = next((suffix for suffix in VOLUMES if folder.name.lower().endswith(suffix)), "")
        image_files.setdefault(composed(folder.name.removesuffix(suffix)), []).append(folder)
    other_images = other_files(images, VOLUMES, [*folders, labels])
    is_one = images.samefile(labels)
    others = other_images, other_images if is_one else other_files(labels, VOLUMES, [images])
    # Labels first: in scan_0000_seg the digits are a number, not a channel, and stay.
    label_cases = by_case(label_files, LABEL_ENDINGS, image_files)
    image_files, refused = without_channels(image_files, label_cases, named_by)
    found = single(by_case(image_files, IMAGE_ENDINGS, label_cases))
    cases = pair_images(found, label_cases, images, labels, others)
    print_other_files(*others)
    cases.refuse(refused)
    refuse_same_files(cases)
    return cases


def _pair_channels(images: Path, labels: Path, channels: Sequence[str]) -> DiscoveredCases:
    """Pair images of several channels with label maps by the names of their cases; print which form was found.

    Args:
        images: folder of images, in one of the forms of `discover_channels`.
        labels: folder of label maps, whose names may end in `LABEL_ENDINGS`. It may be the same folder: these have one, or
            lie in the folder of their case.
        channels: names of the channels, in their order.

    Raises:
        ValueError: as `discover_channels`.
    """
    label_files = files_by_name(labels, VOLUMES)
    if images.samefile(labels):
        label_files = {
            stem: paths for stem, paths in label_files.items() if without_ending(stem, LABEL_ENDINGS) != stem
        }
    names = {*label_files, *(without_ending(stem, LABEL_ENDINGS) for stem in label_files)}
    found = discover_channels(images, channels, names)
    if images.samefile(labels):
        label_files |= _in_case_folders(found.files)
    label_cases = by_case(label_files, LABEL_ENDINGS, {*found.files, *found.refused})
    # Folders that hold a channel, or a case, hold nothing else to speak of than `rest`.
    used = {path for files in found.files.values() for path in files}
    folders = [*used, *(parent for path in used for parent in (path.parent, path.parent.parent))]
    others = other_files(images, VOLUMES, [*folders, labels]), other_files(labels, VOLUMES, [*folders, images])
    cases = pair_images({case: [files] for case, files in found.files.items()}, label_cases, images, labels, others)
    for case, reason in found.refused.items():
        cases.patients.setdefault(case, case)
        cases.refuse({case: reason})
    refuse_same_files(cases)
    print_other_files(*others)
    are_labels = {path for paths in label_files.values() for path in paths}
    print_skipped({path.name: "no channel by its name" for path in found.rest if path not in are_labels})
    print(f"channels: {', '.join(channels)}; found as {found.form}", file=sys.stderr, flush=True)
    return cases


def _in_case_folders(files: Mapping[str, Sequence[Path]]) -> dict[str, list[Path]]:
    """Return case -> the label maps in its folder, of the cases whose channels lie in a folder of their own."""
    folders = {case: paths[0].parent for case, paths in files.items()}
    return {
        case: found
        for case, folder in folders.items()
        if unicodedata.normalize("NFC", folder.name) == case
        and (
            found := [
                p for stem, paths in files_by_name(folder, VOLUMES).items() if LABEL.fullmatch(stem) for p in paths
            ]
        )
    }
