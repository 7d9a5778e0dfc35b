"""KiTS19 (kidney and kidney tumour CT) and plain folders of CT volumes with masks -> slice-wise stores and a data list.

Heller et al., "The KiTS19 Challenge Data", arXiv:1904.00445. Labels: 0 background, 1 kidney, 2 tumour.
"""

from __future__ import annotations

import gzip
import warnings
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from monai.config import PathLike
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from medkd.data import SUFFIX, write_volume

from ._common import Found, Options, pair_files, require_source, run

__all__ = ["prepare"]

SUFFIXES = (".nii.gz", ".nii")
PAIRS = (("imagesTr", "labelsTr"), ("images", "masks"))
AXES = "IPL"  # slices downwards, rows backwards, columns to the left: KiTS19's own order
# Label values in the files -> values stored.
LABEL_VALUES = {"kits19": {0: 0, 1: 1, 2: 2}, "tumour": {0: 0, 1: 2}, "organ": {0: 0, 1: 1}}
FIRST_UNLABELLED = 210  # case_00210 to case_00299 are the challenge's test cases; their masks were never published
AFFINE_TOLERANCE = 1e-3  # mm
WHOLE_TOLERANCE = 1e-3


def prepare(
    source: PathLike,
    target: PathLike,
    *,
    split: PathLike = "random",
    fold: int = 0,
    folds: int = 5,
    seed: int = 0,
    overwrite: bool = False,
    skip_bad: bool = False,
    label_values: str = "kits19",
) -> dict[str, Any]:
    """Check every case, turn it to KiTS19's axes (slices, rows, columns), store it, and write the data list.

    The HLFD paper (Gorade et al., ISBI 2024) trains on 168 and tests on 42 of the 210 cases; its list of cases is
    not published. The default, fold 0 of 5 of a random split, has the same 42 test cases in number, not in name;
    validation cases are taken from the 168.

    Args:
        source: the official download (``data/case_*/imaging.nii.gz`` and ``segmentation.nii.gz``, or ``case_*`` in the
            folder itself), or ``imagesTr`` + ``labelsTr`` or ``images`` + ``masks`` with files of equal names.
        target: folder to write: ``imagesTr``, ``labelsTr``, ``datalist.json``, ``split.json``.
        split, fold, folds, seed: see ``medkd.data.split_cases``; every case is taken for a patient of its own.
        overwrite: replace a data set prepared earlier.
        skip_bad: leave refused cases out (recorded in ``datalist.json``) instead of stopping.
        label_values: what the masks hold: ``"kits19"``: 0, 1 kidney, 2 tumour; ``"tumour"``: 0 and 1 = tumour, stored
            as 2; ``"organ"``: 0 and 1 = organ.

    Returns:
        summary, see ``_common.run``.

    Raises:
        FileNotFoundError, ValueError: no source, no cases, a target in use, refused cases (each with its reason).
    """
    if label_values not in LABEL_VALUES:
        raise ValueError(f"label_values {label_values!r} is unknown, expected one of {', '.join(LABEL_VALUES)}.")
    folder = require_source(source)
    return run(
        folder,
        target,
        _find(folder),
        lambda case, files, to: _convert(case, files, to, LABEL_VALUES[label_values]),
        Options(split, fold, folds, seed, overwrite, skip_bad),
        _check_tumours if label_values == "kits19" else lambda entries: None,
        name="kits19",
        description=f"CT, axes {AXES} (slices, rows, columns), HU as int16; masks read as {label_values!r}",
        modality={"0": "CT"},
        labels={"0": "background", "1": "kidney", "2": "tumour"},
    )


def _check_tumours(entries: Collection[dict[str, Any]]) -> None:
    if not any(entry["slices_with"].get("2") for entry in entries):
        raise ValueError(
            "no mask holds the value 2 (tumour), nothing was written: masks of 0 and 1 alone need --label_values tumour "
            "(1 is tumour) or --label_values organ"
        )


def _find(source: Path) -> Found:
    root = source / "data" if (source / "data").is_dir() else source
    cases = sorted(path for path in root.glob("case_*") if path.is_dir())
    if cases:
        return _find_official(cases)
    for images, labels in PAIRS:
        if (source / images).is_dir() and (source / labels).is_dir():
            return pair_files(source / images, source / labels, SUFFIXES, SUFFIXES, name=str)
    pairs = " or ".join(f"{images}/ + {labels}/" for images, labels in PAIRS)
    raise ValueError(f"source {source}: expected data/case_*/ or case_*/ (KiTS19), or {pairs}; found none of them.")


def _find_official(cases: list[Path]) -> Found:
    found, unlabelled = Found(), 0
    for path in cases:
        image, label = (
            next((path / f"{kind}{suffix}" for suffix in SUFFIXES if (path / f"{kind}{suffix}").is_file()), None)
            for kind in ("imaging", "segmentation")
        )
        number = path.name.removeprefix("case_")
        if label is None and number.isdigit() and int(number) >= FIRST_UNLABELLED:
            unlabelled += 1
            continue
        found.patients[path.name] = path.name
        if image is None:
            found.refused[path.name] = f"no imaging.nii.gz in {path} (the download script fetches it)"
        elif label is None:
            found.refused[path.name] = f"no segmentation.nii.gz in {path}"
        else:
            found.files[path.name] = (image, label)
    if unlabelled:
        warnings.warn(f"{unlabelled} test cases without published masks are left out.", stacklevel=4)
    return found


def _convert(case: str, files: tuple[Path, Path], folder: Path, values: dict[int, int]) -> dict[str, Any]:
    (image, affine), (label, label_affine) = (_read(path) for path in files)
    if image.shape != label.shape:
        raise ValueError(f"image {image.shape} and mask {label.shape} have different shapes")
    if not np.allclose(affine, label_affine, rtol=0, atol=AFFINE_TOLERANCE):
        difference = np.abs(affine - label_affine).max()
        raise ValueError(f"affines of image and mask differ by up to {difference:.4g} (tolerance {AFFINE_TOLERANCE:g})")
    hu = _whole_numbers(image, np.int16, "HU of the image")
    raw = _whole_numbers(label, np.uint8, "label values of the mask")
    present = np.flatnonzero(np.bincount(raw.ravel(), minlength=256))
    if unknown := [int(value) for value in present if value not in values]:
        raise ValueError(f"label values {unknown} in the mask, expected only {list(values)}")
    stored = np.array([values.get(value, 0) for value in range(256)], np.uint8)[raw]
    hu, turned = _turn(hu, affine)
    stored, _ = _turn(stored, affine)
    names = {"image": f"imagesTr/{case}{SUFFIX}", "label": f"labelsTr/{case}{SUFFIX}"}
    for key, array in (("image", hu), ("label", stored)):
        (folder / names[key]).parent.mkdir(exist_ok=True)
        write_volume(folder / names[key], array, turned)
    return {
        **names,
        "case": case,
        "patient": case,
        "spacing": [round(float(mm), 6) for mm in nib.affines.voxel_sizes(turned)],
        "shape": list(hu.shape),
        "slices_with": {str(value): np.flatnonzero((stored == value).any((1, 2))).tolist() for value in (1, 2)},
    }


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the array as scaled by the header, and the affine; the whole file is read, and its checksum checked."""
    try:
        header = nib.load(path)
        # From a stream of our own: nibabel stops at the last voxel, gzip compares the checksum only at the end.
        with gzip.open(path) if path.name.lower().endswith(".gz") else open(path, "rb") as stream:
            array = np.asanyarray(type(header).from_stream(stream).dataobj)
            while stream.read(1 << 20):
                pass
    except (OSError, EOFError, ValueError, zlib.error, ImageFileError, HeaderDataError) as error:
        raise ValueError(f"{path} is unreadable or truncated ({' '.join(str(error).split())[:120]})") from error
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"{path} has shape {array.shape}, expected three axes")
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{path} has voxels of type {array.dtype}, expected numbers")
    affine = np.asarray(header.affine, dtype=np.float64)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise ValueError(f"{path} has an affine without a volume or with NaN: {affine[:3].tolist()}")
    return array, affine


def _whole_numbers(array: np.ndarray, dtype: type, what: str) -> np.ndarray:
    """Cast to an integer type, refusing everything that the cast would change by more than the tolerance."""
    out, limits = np.empty(array.shape, dtype), np.iinfo(dtype)
    # By planes along the last axis, contiguous in NIfTI: no float copy of a volume of a thousand slices.
    for k in range(array.shape[-1]):
        plane = array[..., k]
        if not np.isfinite(plane).all():
            raise ValueError(f"{what}: NaN or infinite voxels")
        rounded = np.rint(plane)
        if rounded.min() < limits.min or rounded.max() > limits.max:
            worst = min if rounded.min() < limits.min else max
            raise ValueError(f"{what}: {worst(plane.ravel()):g} is outside {limits.min} to {limits.max}")
        wrong = np.abs(plane - rounded) > WHOLE_TOLERANCE
        if wrong.any():
            raise ValueError(f"{what}: {plane[wrong][0]:g} is not a whole number")
        out[..., k] = rounded
    return out


def _turn(array: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Permute and flip the axes to ``AXES``; nothing is interpolated, an oblique volume keeps its angles."""
    turn = nib.orientations.ornt_transform(nib.io_orientation(affine), nib.orientations.axcodes2ornt(AXES))
    turned = nib.orientations.apply_orientation(array, turn)
    return np.ascontiguousarray(turned), affine @ nib.orientations.inv_ornt_aff(turn, array.shape)
