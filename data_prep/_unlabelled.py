"""Images without labels of a data set: found, stored as the others are, and refused where they would be a leak."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from medkd.data import SPLITS, natural_key
from medkd.io import PICTURES, VOLUMES, discover_images, image_files
from medkd.io.beside import print_skipped
from medkd.runs.case_names import ALIKE, check_case_name, ignores_capitals, names_alike

from ._each_case import each_case
from ._options import Options
from ._pairing import IMAGE_ENDINGS, without_ending
from ._patients import is_table, read_other_patients
from ._refusals import refuse, shortened
from ._stored_form import StoredImage, form_of, stored_digest
from ._unlabelled_judge import Judge, UnlabelledCases

__all__ = ["Naming", "UnlabelledCases", "collect_unlabelled", "find_unlabelled", "own_name"]

# Path of an image and its name without suffix -> names of its case and of its patient; None: it is no image.
Naming = Callable[[Path, str], tuple[str, str] | None]


def own_name(path: Path, stem: str) -> tuple[str, str]:
    """Return the name of a file as that of its case and of its patient."""
    return stem, stem


def collect_unlabelled(
    source: Path,
    folder: Path,
    datalist: Mapping[str, Any],
    staging: Path,
    options: Options,
    naming: Naming = own_name,
    resample: bool = False,
) -> UnlabelledCases:
    """Find the images of a folder, store them as the data set stores its own, and leave out what must not be used.

    Args:
        source: folder of images. Label maps beside them are not read.
        folder: of the data set.
        datalist: content of its data list.
        staging: folder in which `FOLDER` is made.
        options: ``split`` (a table of patients; other values have no effect), ``skip_bad`` and ``workers``.
        naming: names of the case and the patient of a file.
        resample: whether channels on another grid than the first are resampled onto it.

    Raises:
        FileNotFoundError: a folder without images.
        ValueError: refused images (each with its reason), or no image that is not left out.
    """
    entries = {split: list(datalist.get(split, [])) for split in (*SPLITS, "unlabelled")}
    first = next(entry for listed in entries.values() for entry in listed)
    is_picture = Path(image_files(first["image"])[0]).suffix.lower() in PICTURES
    form = form_of(datalist, is_picture, resample)
    files, patients, cases = find_unlabelled(source, form.suffixes, form.channels, folder, naming)
    if is_table(options.split):
        labelled = [entry["case"] for listed in entries.values() for entry in listed]
        told = read_other_patients(Path(options.split), patients, [*labelled, *datalist.get("refused", {})])
        if untold := sorted(set(patients) - set(told), key=natural_key):
            cases.guesses.append(f"not listed in {options.split}, each its own patient: {shortened(untold)}")
        patients |= told
    total = len(files) + len(cases.refused)
    store = partial(_store, form.store, staging)
    stored: dict[str, StoredImage] = {}
    for case, result in each_case(store, files, options.workers, "store images without labels").items():
        if isinstance(result, StoredImage):
            stored[case] = result
        else:
            cases.refused[case] = " ".join(str(result).split())
    digests = _digests(folder, entries, options.workers)
    Judge(entries, digests, cases).judge(stored, patients)
    for case in stored.keys() - cases.entries.keys():
        for name in image_files(stored[case].entry["image"]):
            (staging / name).unlink()
    cases.refused = dict(sorted(cases.refused.items(), key=lambda item: natural_key(item[0])))
    if cases.refused and not options.skip_bad:
        refuse(cases.refused, total, "images without labels")
    if not cases.entries:
        why = "; ".join(f"{shortened(names)}: {note}" for note, names in cases.notes.items())
        raise ValueError(f"--unlabelled {source}: none of {total} images can be used, nothing was written: {why}")
    _tell(cases)
    return cases


def find_unlabelled(
    source: Path,
    suffixes: tuple[str, ...],
    channels: Sequence[str],
    folder: Path,
    naming: Naming = own_name,
    option: str = "--unlabelled",
) -> tuple[dict[str, tuple[Path, ...]], dict[str, str], UnlabelledCases]:
    """Return case -> files and case -> patient of the images of a folder, and the refused ones.

    Args:
        source: folder of images.
        suffixes: of images; those of volumes also let folders of DICOM series count.
        channels: names of the channels.
        folder: that will hold them.
        naming: names of the case and the patient of a file.
        option: that names the source, for messages.
    """
    found, refused = discover_images(source, suffixes, suffixes == VOLUMES, channels, option=option)
    cases = UnlabelledCases(refused={case: f"{source / case}: {reason}" for case, reason in refused.items()})
    # nnU-Net's first channel, for example: where every file has such an ending, it is not part of the case's name
    shorter = [without_ending(stem, IMAGE_ENDINGS) for stem, _ in found]
    is_ending = all(short != stem for short, (stem, _) in zip(shorter, found, strict=True))
    files: dict[str, tuple[Path, ...]] = {}
    patients: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for short, (stem, paths) in zip(shorter, found, strict=True):
        names = naming(paths[0], short if is_ending else stem)
        if names is None:
            left_out[paths[0].name] = "by its name no image of this data set"
            continue
        case, patient = names
        try:
            check_case_name(case)
        except ValueError as error:
            cases.refused[case] = str(error)
            continue
        if case in files or case in cases.refused:
            both = [str(path) for path in (*files.pop(case, ())[:1], paths[0])]
            cases.refused[case] = f"several files of one case: {' and '.join(both)}; keep one"
            continue
        files[case], patients[case] = paths, patient
    print_skipped(left_out)
    for group in names_alike(files):
        for case in group:
            if ignores_capitals(folder):
                cases.refused[case] = f"{', '.join(group)} would be one file in {folder}: rename all but one"
                files.pop(case)
            else:
                cases.notes.setdefault(ALIKE, []).append(case)
    return files, {case: patients[case] for case in files}, cases


def _store(
    store: Callable[[str, Sequence[Path], Path], StoredImage], folder: Path, case: str, files: Sequence[Path]
) -> StoredImage:
    return store(case, files, folder)


def _digests(folder: Path, entries: Mapping[str, Sequence[Mapping[str, Any]]], workers: int | None) -> dict[str, str]:
    """Return the checksums of the images that the data set has, by case."""
    listed = {str(entry["case"]): entry for split in entries.values() for entry in split}
    digests = {}
    for case, digest in each_case(partial(_digest, folder), listed, workers, "compare with the data set").items():
        if not isinstance(digest, str):
            raise digest
        digests[case] = digest
    return digests


def _digest(folder: Path, case: str, entry: Mapping[str, Any]) -> str:
    return stored_digest(folder, entry)


def _tell(cases: UnlabelledCases) -> None:
    for case, reason in cases.refused.items():
        tqdm.write(f"refused {case}: {reason}")
    for note, names in cases.notes.items():
        tqdm.write(f"note: {shortened(names)}: {note}", file=sys.stderr)
    for sentence in cases.guesses:
        tqdm.write(f"note: {sentence}", file=sys.stderr)
