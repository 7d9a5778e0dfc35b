"""Volumes that differ from the others of their data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from medkd.runs.errors import counted, rounded

from ._survey import CaseMeasures, ChannelMeasures
from ._volume_images import ONE_CHANNEL

__all__ = ["odd_cases"]

SMALL, FEW = 20, 10  # times smaller than the median volume; voxels
OTHER_HU = 200  # between medians of labelled voxels
SHEAR = 1  # degrees


def odd_cases(
    measured: Mapping[str, CaseMeasures],
    labels: Mapping[int, str],
    are_hu: Sequence[bool],
    channels: Sequence[str] = ONE_CHANNEL,
) -> dict[str, list[str]]:
    """Return case -> how it differs from the others, and what its files left open.

    Compared are spacing, shear, missing or tiny classes, and intensities.

    Args:
        measured: case -> measures.
        labels: label value in the files -> name.
        are_hu: whether the intensities of each channel are Hounsfield units.
        channels: names of the channels.
    """
    spacing = np.median([case.spacing for case in measured.values()], axis=0)
    volumes = {v: [c.voxels[v] * c.voxel_ml for c in measured.values() if v in c.voxels] for v in labels}
    odd: dict[str, list[str]] = {}
    for name, case in measured.items():
        reasons = _odd_geometry(case, spacing) + _odd_labels(case, labels, volumes)
        if reasons:
            odd[name] = reasons
    for number, channel in enumerate(channels):
        if are_hu[number]:
            prefix = f"{channel}: " if len(channels) > 1 else ""
            for name, reasons in _odd_intensities({n: case.channels[number] for n, case in measured.items()}).items():
                odd.setdefault(name, []).extend(f"{prefix}{reason}" for reason in reasons)
    return odd


def _odd_geometry(case: CaseMeasures, spacing: np.ndarray) -> list[str]:
    reasons = list(case.notes)
    if np.maximum(case.spacing / spacing, spacing / case.spacing).max() >= 2:
        reasons.append(f"spacing {_mm(case.spacing)} mm, the others' median is {_mm(spacing.tolist())}")
    if case.shear > SHEAR:
        reasons.append(f"sheared by {case.shear:.3g} degrees (a tilted gantry?): HD95 takes its axes for right-angled")
    return reasons


def _odd_labels(case: CaseMeasures, labels: Mapping[int, str], volumes: Mapping[int, Sequence[float]]) -> list[str]:
    if not case.voxels:
        return ["no label at all"]
    reasons = [f"no {name}" for value, name in labels.items() if value not in case.voxels]
    for value, name in labels.items():
        voxels, ml = case.voxels.get(value, 0), case.voxels.get(value, 0) * case.voxel_ml
        if voxels and (voxels < FEW or ml * SMALL < np.median(volumes[value])):
            reasons.append(
                f"little {name}: {counted(voxels, 'voxel')}, {rounded(ml)} ml (median {rounded(np.median(volumes[value]))} ml)"
            )
    return reasons


def _odd_intensities(measured: Mapping[str, ChannelMeasures]) -> dict[str, list[str]]:
    """Return case -> how the HU of a channel differ from those of the other cases."""
    medians = {name: float(np.median(case.foreground)) for name, case in measured.items() if len(case.foreground)}
    others = float(np.median(list(medians.values())))
    odd: dict[str, list[str]] = {}
    for name, median in medians.items():
        difference = median - others
        if abs(difference) > OTHER_HU:
            is_offset = abs(difference - 1024) < OTHER_HU
            offset = " (an offset of 1024: values stored without their sign?)" if is_offset else ""
            odd[name] = [f"labelled voxels have a median of {median:.4g} HU, the others of {others:.4g}{offset}"]
    for name, case in measured.items():
        if case.lowest >= 0:
            odd.setdefault(name, []).append(f"lowest value {case.lowest:g}: no air, no fat")
    return odd


def _mm(spacing: Sequence[float]) -> str:
    return " x ".join(f"{mm:.4g}" for mm in spacing)
