"""Discovery of cases: which image file and which label file of a source belong together."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from monai.config import PathLike
from tqdm import tqdm

from medkd.data import natural_key
from medkd.io import VOLUMES, is_hidden
from medkd.runs.case_names import check_case_name, ignores_capitals, names_alike

from ._other_files import OtherFiles, other_files, print_other_files, take_other_form

__all__ = [
    "DiscoveredCases",
    "SplitFolder",
    "check_names",
    "discover_split_folders",
    "files_by_name",
    "image_counts",
    "merge_cases",
    "pair_files",
    "pair_volumes",
    "require_source",
    "unnested",
]

# Endings behind a case's name that tell images and labels apart; _0000 is nnU-Net's first channel.
IMAGE_ENDINGS = ("_0000", "_image", "_img")
LABEL_ENDINGS = ("_label", "_mask", "_seg")
# nnU-Net's number of a channel.
CHANNEL = re.compile(r"(.+)_\d{4}")
FilesByName = dict[str, list[Path]]


@dataclass
class DiscoveredCases:
    """The cases of a source.

    Attributes:
        files: case -> image file and label file.
        patients: case -> patient.
        refused: case -> reason, of cases that cannot be used.
        published: case -> split of the published split, where there is one.
        validation_seed: samples validation cases from the training cases of the published split; None: it has its own.
        held_out: sentence for ``split.json`` on the cases that were held out of the published split.
        split_name: the value of ``--split`` that asks for ``published``.
        drawn_as: the kind of `medkd.data.split_cases` that ``split_name`` stands for, where nothing is published.
    """

    files: dict[str, tuple[Path, Path]] = field(default_factory=dict)
    patients: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    published: dict[str, str] = field(default_factory=dict)
    validation_seed: int | None = None
    held_out: str = ""
    split_name: str = "published"
    drawn_as: str = ""


@dataclass(frozen=True)
class SplitFolder:
    """Two folders of a source that hold one split of the published split, or a share of it.

    Attributes:
        split: name of the split.
        images: folder of images.
        masks: folder of masks.
        count: number of images in the published data set.
        optional: both folders may be missing.
    """

    split: str
    images: Path
    masks: Path
    count: int
    optional: bool = False


def require_source(source: PathLike, option: str = "source") -> Path:
    """Return the source as a path, after the check that it is a folder with content.

    Args:
        source: a folder that is not empty.
        option: name of the option, for messages.

    Raises:
        NotADirectoryError: for a file.
        FileNotFoundError: for a missing folder.
        ValueError: for an empty folder.
    """
    path = Path(source)
    if path.is_file():
        raise NotADirectoryError(f"--{option} {source}: is a file, expected a folder")
    if not path.is_dir():
        raise FileNotFoundError(f"--{option} {source}: no such folder")
    if all(map(is_hidden, path.iterdir())):
        raise ValueError(f"--{option} {source}: the folder is empty")
    return path


def unnested(folder: Path) -> Path:
    """Return the folder, or the one of the same name in it, as some programs unpack an archive."""
    inner = folder / folder.name
    return inner if inner.is_dir() else folder


def files_by_name(folder: Path, suffixes: Sequence[str]) -> FilesByName:
    """Return the files of a folder by name without suffix, in natural order, without hidden files.

    Names are in Unicode's composed form: macOS writes an accent as a character of its own.
    """
    files: FilesByName = {}
    for path in sorted(folder.iterdir(), key=lambda path: natural_key(path.name)):
        suffix = next((suffix for suffix in suffixes if path.name.lower().endswith(suffix)), None)
        if suffix and path.is_file() and not is_hidden(path):
            files.setdefault(_composed(path.name[: -len(suffix)]), []).append(path)
    return files


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


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
    image_files, refused = _without_channels(image_files, label_files)
    image_files = _by_case(image_files, ("_0000",), label_files)
    others = other_files(images, image_suffixes), other_files(labels, label_suffixes)
    cases = _pair(image_files, label_files, images, labels, others, name, keep)
    print_other_files(*others)
    _refuse(cases, {name(stem): reason for stem, reason in refused.items()})
    return cases


def pair_volumes(images: Path, labels: Path, is_case_folder: Callable[[Path], bool] = Path.is_dir) -> DiscoveredCases:
    """Pair volumes with label maps by name, ignoring the suffix, `IMAGE_ENDINGS` and `LABEL_ENDINGS`.

    Args:
        images: folder of volumes in the formats of `medkd.io.VOLUMES`, or of sub-folders with a DICOM series each.
        labels: folder of label maps; it may be the same folder.
        is_case_folder: whether a sub-folder of images counts as a case.

    Raises:
        ValueError: both folders are one, and a name does not show whether the file is an image or a label.
    """
    image_files, label_files = files_by_name(images, VOLUMES), files_by_name(labels, VOLUMES)
    if images.samefile(labels):
        _check_endings(images, image_files)
        image_files = {
            stem: paths for stem, paths in image_files.items() if _without_ending(stem, IMAGE_ENDINGS) != stem
        }
        label_files = {stem: paths for stem, paths in label_files.items() if stem not in image_files}
    folders = [path for path in sorted(images.iterdir()) if path.is_dir() and not is_hidden(path)]
    folders = [path for path in folders if path.resolve() != labels.resolve() and is_case_folder(path)]
    for folder in folders:
        suffix = next((suffix for suffix in VOLUMES if folder.name.lower().endswith(suffix)), "")
        image_files.setdefault(_composed(folder.name.removesuffix(suffix)), []).append(folder)
    other_images = other_files(images, VOLUMES, [*folders, labels])
    is_one = images.samefile(labels)
    others = other_images, other_images if is_one else other_files(labels, VOLUMES, [images])
    # Labels first: in scan_0000_seg the digits are a number, not a channel, and stay.
    label_cases = _by_case(label_files, LABEL_ENDINGS, image_files)
    image_files, refused = _without_channels(image_files, label_cases)
    cases = _pair(_by_case(image_files, IMAGE_ENDINGS, label_cases), label_cases, images, labels, others)
    print_other_files(*others)
    _refuse(cases, refused)
    for case, (image, label) in list(cases.files.items()):
        if image.samefile(label):
            del cases.files[case]
            cases.refused[case] = f"{image} and its mask {label} are the same file"
    return cases


def discover_split_folders(
    source: Path,
    folders: Iterable[SplitFolder],
    image_suffixes: Sequence[str],
    label_suffixes: Sequence[str],
    keep: Callable[[str], bool] = lambda stem: True,
) -> DiscoveredCases:
    """Pair the files of the folders of the published split.

    Raises:
        ValueError: for a folder that is missing; an optional one may lack both of its folders.
    """
    discovered = []
    for folder in folders:
        pair = (folder.images, folder.masks)
        if folder.optional and not any(path.is_dir() for path in pair):
            continue
        for path in pair:
            if not path.is_dir():
                raise ValueError(f"source {source}: no folder {path.relative_to(source)} in it")
        cases = pair_files(*pair, image_suffixes, label_suffixes, keep=keep)
        cases.published = dict.fromkeys(cases.patients, folder.split)
        discovered.append(cases)
    return merge_cases(discovered)


def image_counts(source: Path, cases: DiscoveredCases, folders: Iterable[SplitFolder]) -> dict[str, int]:
    """Return the number of images with a mask in each folder; print where it differs from the published number."""
    parents = [image.parent for image, _ in cases.files.values()]
    counts = {}
    for folder in folders:
        name, count = str(folder.images.relative_to(source)), parents.count(folder.images)
        counts[name] = count
        if count != folder.count:
            tqdm.write(f"{name}: {count} images with a mask, the published data set has {folder.count} there")
    return counts


def merge_cases(discovered: Sequence[DiscoveredCases]) -> DiscoveredCases:
    """Return the cases of several folders together; a case that is in two of them is refused."""
    merged = DiscoveredCases()
    for cases in discovered:
        repeated = {}
        for case in merged.patients.keys() & cases.patients.keys():
            files = [str(one.files[case][0]) if case in one.files else one.refused[case] for one in (merged, cases)]
            repeated[case] = f"two files stand for this case: {' and '.join(files)}; keep one"
        for name in ("files", "patients", "refused", "published"):
            getattr(merged, name).update(getattr(cases, name))
        for case, reason in repeated.items():
            merged.files.pop(case, None)
            merged.refused[case] = reason
    return merged


def _pair(
    image_files: Mapping[str, Sequence[Path]],
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
            cases.files[case] = (image[0], label[0])
        elif not image:
            found = take_other_form(others[0], stem) or ": add it, or move the mask away"
            cases.refused[case] = f"{label[0]} has no image of the same name in {images}{found}"
        elif not label:
            found = take_other_form(others[1], stem) or ": add it, or move the image away"
            cases.refused[case] = f"{image[0]} has no mask of the same name in {labels}{found}"
        else:
            repeated = image if len(image) > 1 else label
            cases.refused[case] = f"several files of one name: {', '.join(str(path) for path in repeated)}; keep one"
        cases.patients[case] = case
    return cases


def _without_channels(images: FilesByName, labels: Collection[str]) -> tuple[FilesByName, dict[str, str]]:
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
            found = f"{len(stems)} channel{'s' if len(stems) > 1 else ''} ({', '.join(stems)})"
            expected = f"{case} or {case}_0000"
            refused[case] = (
                f"{found}, expected one image, {expected}: a network here reads one; keep the channel to train with"
            )
    further = {stem for case in refused for stem in channels[case]}
    return {stem: paths for stem, paths in images.items() if stem not in further}, refused


def _refuse(cases: DiscoveredCases, refused: Mapping[str, str]) -> None:
    for case, reason in refused.items():
        cases.files.pop(case, None)
        cases.refused[case] = reason


def check_names(cases: DiscoveredCases, target: Path) -> list[list[str]]:
    """Refuse the cases whose names cannot be those of files in every folder, or would be one file in the target.

    Returns:
        The groups of other names that are alike, see `names_alike`.
    """
    for case in list(cases.files):
        try:
            check_case_name(case)
        except ValueError as error:
            _refuse(cases, {case: str(error)})
    groups = names_alike(cases.files)
    if not groups or not ignores_capitals(target):
        return groups
    for group in groups:
        _refuse(cases, dict.fromkeys(group, f"{', '.join(group)} would be one file in {target}: rename all but one"))
    return []


def _check_endings(folder: Path, stems: Collection[str]) -> None:
    endings = (*IMAGE_ENDINGS, *LABEL_ENDINGS)
    if unclear := next((stem for stem in stems if _without_ending(stem, endings) == stem), None):
        raise ValueError(
            f"--images and --labels name the same folder {folder}: found {unclear}, expected names that end in "
            f"{', '.join(IMAGE_ENDINGS)} (images) or {', '.join(LABEL_ENDINGS)} (labels)"
        )


def _by_case(files: FilesByName, endings: Collection[str], partners: Collection[str]) -> FilesByName:
    """Return files by name of their case; a name that has a partner as it stands keeps its ending."""
    cases: FilesByName = {}
    for stem, paths in files.items():
        cases.setdefault(stem if stem in partners else _without_ending(stem, endings), []).extend(paths)
    return cases


def _without_ending(stem: str, endings: Collection[str]) -> str:
    ending = next((ending for ending in endings if stem.lower().endswith(ending)), "")
    return stem[: len(stem) - len(ending)]
