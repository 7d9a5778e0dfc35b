"""Survey of a user's volumes: each case is checked and measured, then training settings are proposed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import nibabel as nib
import numpy as np

from medkd.io import read_volume

from ._cases import CaseFiles
from ._each_case import each_case
from ._sides import Position, measure_positions
from ._volume_images import ONE_CHANNEL, read_image
from ._volumes import VolumePair, read_pair

__all__ = [
    "AIR",
    "PERCENTS",
    "CaseMeasures",
    "ChannelMeasures",
    "check_exchanged",
    "is_ct",
    "measure_image",
    "measure_volume",
    "propose_image_size",
    "propose_patch",
    "propose_spacing",
    "propose_window",
    "spread",
    "survey_cases",
]

AIR = -500  # HU: only CT has values below it
SAMPLES = {"image": 1_000_000, "foreground": 20_000}  # voxels, evenly spread, for percentiles
MOST_LABELS = 128  # values of a label map; any image has more
PERCENTS = (0.5, 50, 99.5)
LOWEST_HU = -1020
LARGEST_IMAGE, IMAGE_STEP = 512, 32  # pixels
LARGEST_PATCH, PATCH_STEP = 2**20, 16  # voxels: 128 x 128 x 64


@dataclass(frozen=True)
class ChannelMeasures:
    """The intensities of one channel of a case, as its file gives them.

    Attributes:
        lowest: lowest intensity.
        percentiles: intensities at `PERCENTS`.
        highest: highest intensity.
        foreground: sample of the intensities of labelled voxels.
    """

    lowest: float
    percentiles: tuple[float, ...]
    highest: float
    foreground: np.ndarray


@dataclass(frozen=True)
class CaseMeasures:
    """Measures of one case on the stored axes, with the label values of its file.

    Attributes:
        shape: slices, rows, columns.
        spacing: mm on the same axes.
        voxel_ml: volume of a voxel by the affine: less than the product of the spacings where axes are sheared.
        shear: largest angle in degrees by which two axes miss the right angle.
        orientation: axis codes of the image file.
        channels: the intensities of each channel.
        voxels: label value -> number of voxels, without the background.
        positions: label value -> where it lies.
        notes: what the files left open, and how it was read.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    voxel_ml: float
    shear: float
    orientation: str
    channels: tuple[ChannelMeasures, ...]
    voxels: dict[int, int]
    positions: dict[int, Position] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def survey_cases(
    files: Mapping[str, CaseFiles],
    workers: int | None = None,
    channels: Sequence[str] = ONE_CHANNEL,
    resample: bool = False,
    has_labels: bool = True,
) -> tuple[dict[str, CaseMeasures], dict[str, str]]:
    """Read every case; return the measures of the usable ones and the reasons of the refused ones.

    Args:
        files: case -> its files.
        workers: number of processes, see `each_case`.
        channels: names of the channels, see `read_pair`.
        resample: see `read_pair`.
        has_labels: False for images alone, see `measure_image`.
    """
    function = partial(_measure if has_labels else measure_image, channels, resample)
    measured: dict[str, CaseMeasures] = {}
    refused: dict[str, str] = {}
    for case, measures in each_case(function, files, workers, "read").items():
        if isinstance(measures, CaseMeasures):
            measured[case] = measures
        else:
            refused[case] = " ".join(str(measures).split())
    return measured, refused


def _measure(channels: Sequence[str], resample: bool, case: str, files: CaseFiles) -> CaseMeasures:
    return measure_volume(read_pair(files, channels, resample))


def measure_image(channels: Sequence[str], resample: bool, case: str, files: CaseFiles) -> CaseMeasures:
    """Read and measure an image without a label; the body, above air, stands for what is labelled."""
    image, affine, orientation, notes = read_image(files.images, channels, resample)
    empty = np.zeros(image.shape[1:], np.uint8)
    return measure_volume(VolumePair(image, empty, affine, orientation, notes), image[0] > AIR)


def measure_volume(pair: VolumePair, inside: np.ndarray | None = None) -> CaseMeasures:
    """Return the measures of a case.

    Args:
        pair: image and label map.
        inside: voxels whose intensities the window is proposed by; None: the labelled ones.
    """
    image, label, affine, orientation, notes, _ = pair
    inside = label > 0 if inside is None else inside
    counts = np.bincount(label.ravel(), minlength=256)
    return CaseMeasures(
        shape=label.shape,
        spacing=tuple(round(float(mm), 6) for mm in nib.affines.voxel_sizes(affine)),
        voxel_ml=abs(float(np.linalg.det(affine[:3, :3]))) / 1000,
        shear=_shear(affine),
        orientation=orientation,
        channels=tuple(_measure_channel(channel, inside) for channel in image),
        voxels={int(value): int(counts[value]) for value in np.flatnonzero(counts) if value},
        positions=measure_positions(label),
        notes=notes,
    )


def _measure_channel(image: np.ndarray, inside: np.ndarray) -> ChannelMeasures:
    return ChannelMeasures(
        lowest=float(image.min()),
        percentiles=tuple(np.percentile(spread(image.ravel(), SAMPLES["image"]), PERCENTS).tolist()),
        highest=float(image.max()),
        foreground=spread(image[inside], SAMPLES["foreground"]).astype(np.float32),
    )


def _shear(affine: np.ndarray) -> float:
    axes = affine[:3, :3] / nib.affines.voxel_sizes(affine)
    cosines = np.abs(axes.T @ axes - np.eye(3)).max()
    return float(np.rad2deg(np.arcsin(min(1.0, cosines))))


def spread(values: np.ndarray, count: int) -> np.ndarray:
    """Return at most ``count`` of the values, evenly spread."""
    return values[:: max(1, -(-len(values) // count))]


def check_exchanged(files: CaseFiles) -> None:
    """Raise ValueError where the image holds label values alone and the label does not."""
    try:
        image, label = (read_volume(path).array for path in (files.images[0], files.label))
    except (ValueError, OSError):
        return
    if _is_label_map(image) and not _is_label_map(label):
        values = f"{label.min():g} to {label.max():g}"
        raise ValueError(
            f"are --images and --labels exchanged? {files.images[0]} holds a few whole numbers alone, {files.label} {values}, "
            "expected intensities and label values"
        )


def _is_label_map(array: np.ndarray) -> bool:
    values = np.unique(array)
    return len(values) <= MOST_LABELS and values.min() >= 0 and np.array_equal(values, np.rint(values))


def is_ct(measured: Collection[ChannelMeasures]) -> bool:
    """Return whether a channel's intensities are Hounsfield units: at least half of the cases hold air below -500."""
    return sum(case.lowest < AIR for case in measured) * 2 >= len(measured)


def propose_window(cases: Collection[ChannelMeasures]) -> list[int]:
    """Return the HU of a channel's labelled voxels (0.5 to 99.5 %), a quarter wider on both sides, in tens."""
    low, high = np.percentile(np.concatenate([case.foreground for case in cases]), (0.5, 99.5))
    margin = max(50.0, (high - low) / 4)  # the surroundings tell the target apart
    return [max(LOWEST_HU, int(np.floor((low - margin) / 10)) * 10), int(np.ceil((high + margin) / 10)) * 10]


def propose_spacing(cases: Collection[CaseMeasures]) -> list[float]:
    """Return the median spacing (slice, row, column) in mm."""
    return [round(float(mm), 3) for mm in np.median([case.spacing for case in cases], axis=0)]


def propose_patch(cases: Collection[CaseMeasures], spacing: Sequence[float]) -> list[int]:
    """Return the median shape at a spacing, reduced to multiples of 16 and at most 128 x 128 x 64 voxels."""
    # Not size_at_spacing: the median is taken before sizes are rounded.
    shapes = [np.array(case.shape) * case.spacing / np.array(spacing) for case in cases]
    patch = np.maximum(np.median(shapes, axis=0) // PATCH_STEP * PATCH_STEP, PATCH_STEP).astype(int)
    while patch.prod() > LARGEST_PATCH:
        patch[patch.argmax()] -= PATCH_STEP
    return patch.tolist()


def propose_image_size(cases: Collection[CaseMeasures]) -> list[int]:
    """Return rows and columns of the largest slice, rounded up to multiples of 32, at most 512."""
    largest = np.max([case.shape[1:] for case in cases], axis=0)
    return np.minimum(-(-largest // IMAGE_STEP) * IMAGE_STEP, LARGEST_IMAGE).tolist()
