"""Pairing of images of several channels with their label maps."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from medkd.io import VOLUMES, discover_channels
from medkd.io.beside import print_skipped

from ._cases import DiscoveredCases
from ._other_files import other_files, print_other_files
from ._pairing import (
    LABEL_ENDINGS,
    by_case,
    files_by_name,
    pair_images,
    pair_volumes,
    refuse_same_files,
    without_ending,
)

__all__ = ["pair_channels", "pair_named_channels"]

# A label map in the folder of its case: seg.nii.gz, a_seg.nii.gz, BraTS-GLI-00000-000-seg.nii.gz.
LABEL = re.compile(rf"(?:.*[-_. ])?(?:{'|'.join(ending[1:] for ending in LABEL_ENDINGS)})", re.IGNORECASE)


def pair_named_channels(images: Path, labels: Path, channels: Sequence[str]) -> DiscoveredCases:
    """Pair images with label maps: by `pair_channels` where several channels have names, else by `pair_volumes`."""
    return pair_channels(images, labels, channels) if len(channels) > 1 else pair_volumes(images, labels)


def pair_channels(images: Path, labels: Path, channels: Sequence[str]) -> DiscoveredCases:
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
