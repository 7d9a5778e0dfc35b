"""The input of inference: the image files of a folder and the names of their cases."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from medkd.runs.case_names import ALIKE, check_case_name, ignores_capitals, names_alike
from medkd.runs.predicted import PREDICTION_SUFFIXES, PROGRESS

from .beside import PICTURES, further_channels, image_of_label, is_detached_data, other_content, print_skipped
from .channels import ImagePaths, discover_channels, image_files, one_or_list
from .dicom_files import is_dicom_folder
from .hidden import is_hidden
from .label_format import LabelFormat
from .volume_files import VOLUMES

__all__ = ["PICTURES", "case_name", "discover_images", "find_images", "find_pictures", "find_volumes"]

_KITS19 = "imaging.nii.gz"
_TWINS = "rename one of them, or predict each by its own --input and --output_dir"


def case_name(path: str | Path) -> str:
    """Return the name of the case in a file: the file's name without the suffix of its format.

    KiTS19 calls every scan ``imaging.nii.gz``; there the case has the name of the folder.

    Example:
        >>> case_name("scans/case_00000.nii.gz"), case_name("case_00001/imaging.nii.gz")
        ('case_00000', 'case_00001')
    """
    if Path(path).name == _KITS19 and Path(path).absolute().parent.name:
        return Path(path).absolute().parent.name
    return _stem(Path(path))


def _stem(path: Path) -> str:
    name = path.name
    suffix = next((s for s in (*VOLUMES, *PICTURES) if name.lower().endswith(s)), "")
    return name.removesuffix(name[len(name) - len(suffix) :]) if suffix else name


def find_images(
    source: str | Path,
    suffixes: tuple[str, ...],
    output_dir: str | Path,
    series: bool = False,
    label_format: LabelFormat | None = None,
    channels: Sequence[str] = ("image",),
) -> list[dict[str, Any]]:
    """Find the images of a file or folder, in order of their names; print on stderr what else is there, and why.

    Label maps beside their images (``a_seg``) and further channels in nnU-Net's names (``a_0001``) are no images.

    Args:
        source: one file, a folder of files, or a folder of KiTS19 cases (``case_00000/imaging.nii.gz``).
        suffixes: suffixes of images, in lower case.
        output_dir: folder of the predictions.
        series: whether a folder with the slices of a DICOM series, and each such sub-folder, is an image.
        label_format: of the predictions; None: any image will do.
        channels: names of the channels. Of several, the files of each case are found by `discover_channels`; which form was
            found is printed.

    Returns:
        ``[{"image": path, "case": name}]``; of several channels in files of their own, the paths of all are a list. A case
        that lacks a channel has the reason as "refused" besides: it fails, and the others go on.

    Raises:
        FileNotFoundError: when the source is missing, or a folder without such files.
        FileExistsError: when a prediction of one of the cases exists, or the output folder is a file.
        ValueError: for a file with another suffix, a name that cannot be that of a prediction, two files of one case, or an
            output folder that is the input's.
    """
    source = Path(source)
    if not source.exists():
        raise FileNotFoundError(f"--input {source}: no such file or folder")
    folder = source.parent if source.is_file() else source
    if Path(output_dir).is_file():
        raise FileExistsError(f"--output_dir {output_dir}: is a file, expected a folder")
    if Path(output_dir).resolve() == folder.resolve():
        raise ValueError(
            f"--output_dir {output_dir} is the folder of the input: predictions would overwrite the images"
        )
    found, refused = discover_images(source, suffixes, series, channels, skip=Path(output_dir))
    items: list[dict[str, Any]] = [
        {"image": one_or_list([str(file) for file in files]), "case": check_case_name(case)} for case, files in found
    ]
    for case, reason in refused.items():
        place = str(folder / check_case_name(case))
        items.append({"image": place, "case": case, "refused": f"{place}: {reason}"})
    images = _check_outputs(items, source, Path(output_dir))
    _check_capitals(list(images), source, Path(output_dir))
    if label_format is not None:
        label_format.check_sources([file for image in images.values() for file in image_files(image)], source)
    return items


def _check_outputs(items: Sequence[dict[str, Any]], source: Path, output_dir: Path) -> dict[str, ImagePaths]:
    """Return case -> image, where each case has one and its prediction is not there yet."""
    images: dict[str, ImagePaths] = {}
    is_interrupted = (output_dir / PROGRESS).is_file()  # `PredictedCases` checks what is there
    for item in items:
        outputs = (output_dir / f"{item['case']}{suffix}" for suffix in PREDICTION_SUFFIXES)
        if not is_interrupted and (existing := next((path for path in outputs if path.exists()), None)):
            raise FileExistsError(f"--output_dir {output_dir}: {existing.name} is there already: choose another folder")
        other = images.setdefault(item["case"], item["image"])
        if other != item["image"]:
            both = " and ".join(", ".join(image_files(image)) for image in (other, item["image"]))
            raise ValueError(f"--input {source}: {both} would give the same prediction file: {_TWINS}")
    return images


def discover_images(
    source: Path,
    suffixes: tuple[str, ...],
    series: bool = False,
    channels: Sequence[str] = ("image",),
    skip: Path | None = None,
    option: str = "--input",
) -> tuple[list[tuple[str, tuple[Path, ...]]], dict[str, str]]:
    """Find the images of a file or folder; print on stderr what else is there, and why.

    Args:
        source: see `find_images`.
        suffixes: suffixes of images, in lower case.
        series: whether a folder with the slices of a DICOM series, and each such sub-folder, is an image.
        channels: names of the channels.
        skip: a folder inside that holds something else, such as predictions.
        option: name of the option that names the source, as it is typed.

    Returns:
        Case and files of each image, in the order of their names; and case -> reason of those that lack a channel.

    Raises:
        FileNotFoundError: for a folder without such images.
        ValueError: for a file with another suffix.
    """
    if len(channels) == 1 or source.is_file():
        files = _files(source, suffixes, series or len(channels) > 1, skip, option)
        return [(case_name(file), (file,)) for file in files], {}
    found = discover_channels(source, channels, skip=skip)
    if not found.files and not found.refused:
        raise FileNotFoundError(f"{option} {source}: no images of the channels {', '.join(channels)} in it")
    print_skipped({path.name: "no channel by its name" for path in found.rest})
    print(
        f"note: {option} {source}: channels {', '.join(channels)}, found as {found.form}", file=sys.stderr, flush=True
    )
    return sorted(found.files.items()), found.refused


def _check_capitals(cases: Sequence[str], source: Path, output_dir: Path) -> None:
    """Refuse names that differ in capitals alone where the output's disk takes them for one; elsewhere print them."""
    for group in names_alike(cases):
        if ignores_capitals(output_dir):
            raise ValueError(
                f"--input {source}: {', '.join(group)} would give the same prediction file on this disk: {_TWINS}"
            )
        print(f"note: {', '.join(group)}: {ALIKE}", file=sys.stderr, flush=True)


def _files(source: Path, suffixes: tuple[str, ...], series: bool, skip: Path | None, option: str) -> list[Path]:
    """Return the images of a source, and print what else a folder holds."""
    if source.is_file():
        if source.name.lower().endswith(suffixes):
            return [source]
        folder = " or a folder with a DICOM series" if series else ""
        reason = other_content(source, suffixes, series)
        raise ValueError(f"{option} {source}: {reason}, expected one of {', '.join(suffixes)}{folder}")
    left_out = None if skip is None else skip.resolve()
    entries = sorted(path for path in source.iterdir() if path.resolve() != left_out)
    files = [path for path in entries if path.name.lower().endswith(suffixes) and not is_hidden(path)]
    skipped = _beside(files, has_channels=series)
    files = [path for path in files if path not in skipped]
    is_series = series and is_dicom_folder(source)
    if series:
        files += [source] if is_series else [path for path in entries if not is_hidden(path) and is_dicom_folder(path)]
    if not files and _KITS19.endswith(suffixes):
        files = sorted(source.glob(f"*/{_KITS19}"))
    used = {*files, *skipped, *(path.parent for path in files if path.name == _KITS19)}
    skipped |= {path: other_content(path, suffixes, series) for path in entries if path not in used}
    skipped = {path: reason for path, reason in skipped.items() if not _is_usual(path, files, suffixes, is_series)}
    if not files:
        searched = "no DICOM series in it or in its folders" if series else "its folders are not searched"
        held = "; ".join(f"{path.name}: {reason}" for path, reason in list(skipped.items())[:3])
        held = f"; found {held}" if held else ""
        raise FileNotFoundError(f"{option} {source}: no file that ends in {', '.join(suffixes)} ({searched}){held}")
    print_skipped({path.name: reason for path, reason in skipped.items()})
    return sorted(files)


def _beside(files: Sequence[Path], has_channels: bool) -> dict[Path, str]:
    """Return the label maps and further channels among the images of a folder, each with the reason to skip it."""
    stems = {path: _stem(path) + ("_seg" if path.name.lower().endswith(".seg.nrrd") else "") for path in files}
    names = set(stems.values())
    labels = {path: image for path, stem in stems.items() if (image := image_of_label(stem, names))}
    channels = further_channels(stem for path, stem in stems.items() if path not in labels) if has_channels else {}
    reasons = dict.fromkeys(labels, "label maps beside their images")
    for path, stem in stems.items():
        if stem in channels:
            has_first = channels[stem] in names
            first = (
                "beside the first one (_0000), which alone is read" if has_first else "without the first one (_0000)"
            )
            reasons[path] = f"further channels {first}; were they cases, rename them"
    return reasons


def _is_usual(path: Path, files: Collection[Path], suffixes: tuple[str, ...], is_series: bool) -> bool:
    """Return whether a skipped entry needs no word: hidden, data of a detached header, or listed by the reader of a series."""
    if is_hidden(path) and not (path.is_file() and path.name.lower().endswith(suffixes)):
        return True
    if path.is_file() and is_series and not path.name.lower().endswith(suffixes):
        return True
    return is_detached_data(path, files)


def find_pictures(source: str | Path, output_dir: str | Path) -> list[dict[str, Any]]:
    """Find pictures, see `find_images`."""
    return find_images(source, PICTURES, output_dir)


def find_volumes(
    source: str | Path,
    output_dir: str | Path,
    label_format: LabelFormat | None = None,
    channels: Sequence[str] = ("image",),
) -> list[dict[str, Any]]:
    """Find volumes, folders of DICOM series among them, see `find_images`."""
    return find_images(source, VOLUMES, output_dir, True, label_format, channels)
