"""A source that describes itself: an nnU-Net raw data set or a Decathlon task, with its ``dataset.json``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medkd.io import PICTURES, VOLUMES, is_hidden
from medkd.runs.case_names import on_one_line

from ._cases import DiscoveredCases, merge_cases
from ._dataset_json import find_dataset_json, list_of, read_dataset_json
from ._dataset_names import channel_rule, read_channel_names, read_label_names
from ._decathlon import read_lists
from ._nnunet_dictionary import read_dataset_dictionary
from ._pairing import CHANNEL, files_by_name
from ._volume_pairing import NAMED_BY_OPTION, pair_volumes

__all__ = ["DescribedSource", "discover_source"]

# Readers of nnU-Net whose files are read here by their suffix.
READERS = {None, "None", "", "NibabelIO", "NibabelIOWithReorient", "SimpleITKIO", "SimpleITKIOWithReorient"}
UNLABELLED = "images without labels; --unlabelled FOLDER takes some into a distillation"


@dataclass
class DescribedSource:
    """What a source says about itself.

    Attributes:
        path: its ``dataset.json``.
        cases: its labelled cases; ``published`` has training, validation or test of each.
        folds: case -> fold, where a list numbers them.
        channels: names of the channels; empty: not named.
        rules: modality (``"ct"`` or ``"other"``) of each channel by its name, None where its intensities decide.
        classes: label value -> name of the classes above 0; empty: not named.
        notes: what was guessed, what disagrees and is harmless, what is left out.
    """

    path: Path
    cases: DiscoveredCases
    folds: dict[str, int] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    rules: tuple[str | None, ...] = ()
    classes: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def discover_source(source: Path, names: tuple[str, ...] = ()) -> DescribedSource:
    """Return the cases, classes and channels of an nnU-Net raw data set or a Decathlon task.

    Args:
        source: its folder, a folder that holds it alone, or the path of its JSON file.
        names: names of the channels, where the file has none.

    Raises:
        FileNotFoundError: no such source, no ``dataset.json``, no folder of images or labels.
        ValueError: a ``dataset.json`` of another form, or what cannot be trained with: regions, an ignore label, pictures.
    """
    path = find_dataset_json(source)
    content = read_dataset_json(path)
    notes = [] if path.parent in (source, source.parent) else [f"the data set is {path.parent.name} in {source}"]
    _check_reader(content, path)
    classes, label_notes = read_label_names(content, str(path))
    channels, channel_notes = read_channel_names(content, str(path))
    # the names of the file go before those of the user
    named_by = f"channel_names in {path.name}" if channels else NAMED_BY_OPTION
    described = _discover_cases(content, path, channels or names, named_by)
    rules = [channel_rule(name) for name in channels]
    described.classes, described.channels, described.rules = (
        classes,
        channels or names,
        tuple(rule for rule, _ in rules),
    )
    described.notes = [*notes, *label_notes, *channel_notes, *described.notes]
    if any(described.rules):
        described.notes.append(f"intensities by the names of the channels: {'; '.join(text for _, text in rules)}")
    _check_suffixes(described, content)
    _check_usable(described)
    _add_test_folders(described)
    described.notes += [*_count_notes(described, content), *_left_out_notes(described)]
    return described


def _discover_cases(
    content: Mapping[str, Any], path: Path, channels: tuple[str, ...], named_by: str
) -> DescribedSource:
    folders = path.parent / "imagesTr", path.parent / "labelsTr"
    if "dataset" in content:
        cases, notes = read_dataset_dictionary(content, path, channels)
    elif list_of(content, "training", path) and not ("file_ending" in content and folders[0].is_dir()):
        listed = read_lists(content, path, len(channels))
        if listed.unlabelled and not (path.parent / "imagesTs").is_dir():
            listed.notes.append(f"left out: {len(listed.unlabelled)} listed images: {UNLABELLED}")
        return DescribedSource(path, listed.cases, listed.folds, notes=listed.notes)
    else:
        for folder in folders:
            if not folder.is_dir():
                advice = ", expected a data set of nnUNet_raw, not of nnUNet_preprocessed"
                is_preprocessed = (path.parent / "gt_segmentations").is_dir() or any(path.parent.glob("*Plans*"))
                raise FileNotFoundError(f"{path.parent}: no folder {folder.name}{advice if is_preprocessed else ''}")
        cases, notes = pair_volumes(*folders, channels, named_by=named_by), []
        if list_of(content, "training", path):
            notes.append("the list training is not read, as in nnU-Net v2 (file_ending is there): the folders are")
    cases.published = dict.fromkeys(cases.patients, "training")
    return DescribedSource(path, cases, notes=notes)


def _check_reader(content: Mapping[str, Any], path: Path) -> None:
    """Raise ValueError for a data set of pictures, or of files that only a reader of nnU-Net knows."""
    reader, ending = content.get("overwrite_image_reader_writer"), content.get("file_ending") or ""
    if not isinstance(ending, str):
        raise ValueError(f"{path}: file_ending: found {ending!r:.40}, expected a suffix such as .nii.gz")
    if reader == "Tiff3DIO":
        raise ValueError(f"{path}: {reader}: 3-D TIFF is not read, expected {', '.join(VOLUMES)}: convert to .nii.gz")
    suffix = f".{ending.lower().lstrip('.')}"
    if reader == "NaturalImage2DIO" or suffix in PICTURES:
        raise _pictures(path, f"file_ending: found {ending}" if ending else f"found {reader}")
    if ending and suffix not in VOLUMES:
        raise ValueError(f"{path}: file_ending: found {ending:.40}, expected one of {', '.join(VOLUMES)}")


def _pictures(path: Path, found: str) -> ValueError:
    folders = f"--images {path.parent / 'imagesTr'} --labels {path.parent / 'labelsTr'}"
    return ValueError(f"{path}: {found}, expected volumes; pictures are prepared by medkd prepare pictures {folders}")


def _suffix(path: Path) -> str:
    return next((suffix for suffix in (*VOLUMES, *PICTURES) if path.name.lower().endswith(suffix)), "")


def _check_suffixes(described: DescribedSource, content: Mapping[str, Any]) -> None:
    """Raise ValueError for pictures; note where ``file_ending`` is not that of the files."""
    files = [file for case in described.cases.files.values() for file in (*case.images, case.label)]
    counts = Counter(filter(None, map(_suffix, files)))
    if picture := next((suffix for suffix in counts if suffix in PICTURES), None):
        raise _pictures(described.path, f"found {counts[picture]} files {picture}")
    ending = f".{(content.get('file_ending') or '').lower().lstrip('.')}"
    others = [suffix for suffix in counts if suffix != ending]
    if others and ending != ".":
        described.notes.append(
            f"file_ending: found {content['file_ending']} in {described.path.name}, "
            f"{sum(counts[suffix] for suffix in others)} files end in {', '.join(others)}: read as they are"
        )
    reader = content.get("overwrite_image_reader_writer")
    if reader not in READERS:
        described.notes.append(
            f"overwrite_image_reader_writer: {reader!r:.60} is not used: files are read by their suffix"
        )


def _check_usable(described: DescribedSource) -> None:
    """Raise ValueError where all of several cases lack the same: a line for the data set in place of one for each case."""
    cases = described.cases
    reasons = {re.sub(r"\d+", "", reason.replace(case, "")) for case, reason in cases.refused.items()}
    if not cases.files and len(cases.refused) > 1 and len(reasons) == 1:
        case, reason = next(iter(cases.refused.items()))
        count = len(cases.refused)
        raise ValueError(f"{described.path}: none of {count} cases can be used, as {on_one_line(case)}: {reason}")


def _add_test_folders(described: DescribedSource) -> None:
    """Add the images of ``imagesTs`` that have labels in ``labelsTs`` as test cases."""
    images, labels = described.path.parent / "imagesTs", described.path.parent / "labelsTs"
    if not images.is_dir() or not labels.is_dir() or "test" in described.cases.published.values():
        return
    names = files_by_name(labels, VOLUMES)
    found = pair_volumes(images, labels, described.channels)
    test = DiscoveredCases(
        files=found.files,
        patients={case: case for case in found.patients if case in names},
        refused={case: reason for case, reason in found.refused.items() if case in names},
    )
    test.published = dict.fromkeys(test.patients, "test")
    described.cases = merge_cases([described.cases, test])


def _count_notes(described: DescribedSource, content: Mapping[str, Any]) -> list[str]:
    """Return a note for each number of the file that is not that of its cases."""
    notes = []
    found = Counter(described.cases.published.values())
    for key, split in (("numTraining", "training"), ("numValidation", "validation")):
        count = content.get(key)
        if count is not None and count != found[split] and (count or found[split]):
            notes.append(f"{key}: found {str(count)[:20]} in {described.path.name}, there are {found[split]} cases")
    return notes


def _left_out_notes(described: DescribedSource) -> list[str]:
    """Return a note for each folder of the data set with volumes that are part of no case."""
    folder, cases = described.path.parent, described.cases
    used = {file.resolve() for case in cases.files.values() for file in (*case.images, case.label)}
    notes = []
    for inner in sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path)):
        files = {path: stem for stem, paths in files_by_name(inner, VOLUMES).items() for path in paths}
        unused = [path for path in files if path.resolve() not in used and _case_of(files[path]) not in cases.refused]
        if unused:
            shown = ", ".join(path.name for path in unused[:3]) + (", ..." if unused[3:] else "")
            why = UNLABELLED if inner.name.lower() == "imagests" else "they are part of no case"
            notes.append(f"left out: {inner.name}, {len(unused)} of {len(files)} files ({shown}): {why}")
    if (folder / "splits_final.json").is_file():
        notes.append(f"splits_final.json lies beside it: --split {folder / 'splits_final.json'} --fold 0 splits by it")
    return notes


def _case_of(stem: str) -> str:
    """Return the case that a file is named after, without the number of a channel."""
    return match[1] if (match := CHANNEL.fullmatch(stem)) else stem
