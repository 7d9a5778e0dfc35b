"""Pairing of files: which image file and which label file of two folders belong together."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from medkd.data import natural_key
from medkd.io import PICTURES, is_hidden
from medkd.runs.errors import counted

from ._cases import CaseFiles, DiscoveredCases
from ._other_files import OtherFiles, other_files, print_other_files, take_other_form

__all__ = [
    "IMAGE_ENDINGS",
    "LABEL_ENDINGS",
    "by_case",
    "check_endings",
    "composed",
    "files_by_name",
    "pair_files",
    "pair_images",
    "pair_pictures",
    "refuse_same_files",
    "single",
    "without_channels",
    "without_ending",
]

# Endings behind a case's name that tell images and labels apart; _0000 is nnU-Net's first channel.
IMAGE_ENDINGS = ("_0000", "_image", "_img")
LABEL_ENDINGS = ("_label", "_mask", "_seg", "_segmentation")
# nnU-Net's number of a channel.
CHANNEL = re.compile(r"(.+)_\d{4}")
FilesByName = dict[str, list[Path]]
# The same of images, each with the files of its channels.
ImagesByName = dict[str, list[tuple[Path, ...]]]


def files_by_name(folder: Path, suffixes: Sequence[str]) -> FilesByName:
    """Return the files of a folder by name without suffix, in natural order, without hidden files.

    Names are in Unicode's composed form: macOS writes an accent as a character of its own.
    """
    files: FilesByName = {}
    for path in sorted(folder.iterdir(), key=lambda path: natural_key(path.name)):
        suffix = next((suffix for suffix in suffixes if path.name.lower().endswith(suffix)), None)
        if suffix and path.is_file() and not is_hidden(path):
            files.setdefault(composed(path.name[: -len(suffix)]), []).append(path)
    return files


def pair_files(
    images: Path,
    labels: Path,
    image_suffixes: Sequence[str],
    label_suffixes: Sequence[str],
    name: Callable[[str], str] = str,
    keep: Callable[[str], bool] = lambda stem: True,
) -> DiscoveredCases:
    """Pair the files of two folders by name without suffix; a file with no partner, or with two, is refused.

    Args:
        images: folder of images.
        labels: folder of labels.
        image_suffixes: suffixes of images, in lower case.
        label_suffixes: suffixes of labels, in lower case.
        name: maps a file name without suffix to the name of its case.
        keep: whether a file name without suffix counts; other files are ignored.
    """
    image_files, label_files = files_by_name(images, image_suffixes), files_by_name(labels, label_suffixes)
    image_files, refused = without_channels(image_files, label_files)
    image_files = by_case(image_files, ("_0000",), label_files)
    others = other_files(images, image_suffixes), other_files(labels, label_suffixes)
    cases = pair_images(single(image_files), label_files, images, labels, others, name, keep)
    print_other_files(*others)
    cases.refuse({name(stem): reason for stem, reason in refused.items()})
    return cases


def refuse_same_files(cases: DiscoveredCases) -> None:
    """Refuse the cases of which an image and the label are one file."""
    for case, files in list(cases.files.items()):
        if same := next((image for image in files.images if image.samefile(files.label)), None):
            cases.refuse({case: f"{same} and its mask {files.label} are the same file"})


def single(files: FilesByName) -> ImagesByName:
    """Return images of one file each."""
    return {name: [(path,) for path in paths] for name, paths in files.items()}


def pair_pictures(
    images: Path, labels: Path, folders: Mapping[str, Path]
) -> tuple[DiscoveredCases, dict[str, dict[str, Path]]]:
    """Pair pictures with masks by name as volumes are paired; masks may lie in one folder for each class.

    Args:
        images: folder of pictures in the formats of `medkd.io.PICTURES`.
        labels: folder of masks, or of the classes' folders; it may be the same folder.
        folders: class -> its folder. A case has a mask in one of them at least.

    Returns:
        The cases, and case -> class -> mask.

    Raises:
        ValueError: both folders are one, and a name does not show whether the file is an image or a mask.
    """
    image_files, is_one = files_by_name(images, PICTURES), images.samefile(labels)
    if is_one:
        check_endings(images, image_files)
        image_files = {
            stem: paths for stem, paths in image_files.items() if without_ending(stem, IMAGE_ENDINGS) != stem
        }
    masks: dict[str, dict[str, list[Path]]] = {}
    for name, folder in folders.items():
        files = {
            stem: paths
            for stem, paths in files_by_name(folder, PICTURES).items()
            if not (is_one and stem in image_files)
        }
        endings = (*LABEL_ENDINGS, f"_{name.lower()}") if name else LABEL_ENDINGS
        for case, paths in by_case(files, endings, image_files).items():
            masks.setdefault(case, {})[name] = paths
    # Two masks of one class, which are refused, stand for the case; else any of its masks does.
    label_cases = {case: max(of_case.values(), key=len) for case, of_case in masks.items()}
    other_images = other_files(images, PICTURES, [labels])
    others = other_images, other_images if is_one else other_files(labels, PICTURES, [images, *folders.values()])
    found = single(by_case(image_files, IMAGE_ENDINGS, label_cases))
    cases = pair_images(found, label_cases, images, labels, others)
    print_other_files(*others)
    return cases, {case: {name: paths[0] for name, paths in masks[case].items()} for case in cases.files}


def composed(name: str) -> str:
    """Return a name in Unicode's composed form."""
    return unicodedata.normalize("NFC", name)


def pair_images(
    image_files: Mapping[str, Sequence[tuple[Path, ...]]],
    label_files: Mapping[str, Sequence[Path]],
    images: Path,
    labels: Path,
    others: tuple[OtherFiles, OtherFiles],
    name: Callable[[str], str] = str,
    keep: Callable[[str], bool] = lambda stem: True,
) -> DiscoveredCases:
    """Pair files by name without suffix; the two folders, and what else is in them, appear in messages only."""
    cases = DiscoveredCases()
    for stem in sorted(filter(keep, {*image_files, *label_files}), key=natural_key):
        case, image, label = name(stem), image_files.get(stem, []), label_files.get(stem, [])
        if case in cases.files or case in cases.refused:
            cases.files.pop(case, None)
            cases.refused[case] = f"two files in {images} stand for this case (one is {stem}); keep one"
        elif len(image) == 1 and len(label) == 1:
            cases.files[case] = CaseFiles(image[0], label[0])
        elif not image:
            found = take_other_form(others[0], stem) or ": add it, or move the mask away"
            cases.refused[case] = f"{label[0]} has no image of the same name in {images}{found}"
        elif not label:
            found = take_other_form(others[1], stem) or ": add it, or move the image away"
            cases.refused[case] = f"{image[0][0]} has no mask of the same name in {labels}{found}"
        else:
            repeated = [files[0] for files in image] if len(image) > 1 else label
            cases.refused[case] = f"several files of one name: {', '.join(str(path) for path in repeated)}; keep one"
        cases.patients[case] = case
    return cases


def without_channels(
    images: FilesByName, labels: Collection[str], named_by: str = ""
) -> tuple[FilesByName, dict[str, str]]:
    """Return the images that are whole cases, and case -> reason of those that are channels beside each other.

    A name such as ``c_0001`` is a channel of ``c`` where the label has that name, and a case where it has its own label.
    """
    channels: dict[str, list[str]] = {}
    for stem in images:
        match = CHANNEL.fullmatch(stem)
        if match and stem not in labels and match[1] in labels:
            channels.setdefault(match[1], []).append(stem)
    refused = {}
    for case, stems in channels.items():
        if stems != [f"{case}_0000"]:
            found = f"{counted(len(stems), 'channel')} ({', '.join(stems)})"
            expected = f"{case} or {case}_0000"
            advice = f", or name all of them ({named_by})" if named_by else ""
            refused[case] = f"{found}, expected one image, {expected}: keep the channel to train with{advice}"
    further = {stem for case in refused for stem in channels[case]}
    return {stem: paths for stem, paths in images.items() if stem not in further}, refused


def check_endings(folder: Path, stems: Collection[str]) -> None:
    """Raise ValueError if a name in a folder of images and labels has the ending of neither."""
    endings = (*IMAGE_ENDINGS, *LABEL_ENDINGS)
    if unclear := next((stem for stem in stems if without_ending(stem, endings) == stem), None):
        raise ValueError(
            f"--images and --labels name the same folder {folder}: found {unclear}, expected names that end in "
            f"{', '.join(IMAGE_ENDINGS)} (images) or {', '.join(LABEL_ENDINGS)} (labels)"
        )


def by_case(files: FilesByName, endings: Collection[str], partners: Collection[str]) -> FilesByName:
    """Return files by name of their case; a name that has a partner as it stands keeps its ending."""
    cases: FilesByName = {}
    for stem, paths in files.items():
        cases.setdefault(stem if stem in partners else without_ending(stem, endings), []).extend(paths)
    return cases


def without_ending(stem: str, endings: Collection[str]) -> str:
    """Return a file name without the first of the endings that it has, in small letters or capitals."""
    ending = next((ending for ending in endings if stem.lower().endswith(ending)), "")
    return stem[: len(stem) - len(ending)]
