"""What a data set suggests for training, read off its training cases: window, spacing, patch, image size."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ._survey import Measured

__all__ = ["propose_image_size", "propose_patch", "propose_spacing", "propose_window"]

LOWEST_HU = -1020
LARGEST_IMAGE, IMAGE_STEP = 512, 32
LARGEST_PATCH, PATCH_STEP = 2**20, 16  # voxels: 128 x 128 x 64


def propose_window(cases: Collection[Measured]) -> list[int]:
    """HU between which the labelled voxels lie (0.5 to 99.5 %), a quarter wider on both sides, in steps of 10."""
    low, high = np.percentile(np.concatenate([case.foreground for case in cases]), (0.5, 99.5))
    margin = max(50.0, (high - low) / 4)  # what surrounds the target tells it apart
    return [max(LOWEST_HU, int(np.floor((low - margin) / 10)) * 10), int(np.ceil((high + margin) / 10)) * 10]


def propose_spacing(cases: Collection[Measured]) -> list[float]:
    """Median spacing (slice, row, column), mm."""
    return [round(float(mm), 3) for mm in np.median([case.spacing for case in cases], axis=0)]


def propose_patch(cases: Collection[Measured], spacing: Collection[float]) -> list[int]:
    """Median shape at a spacing, edges multiples of 16, the longest cut until there are at most 128 x 128 x 64 voxels."""
    shapes = [np.array(case.shape) * case.spacing / np.array(spacing) for case in cases]
    patch = np.maximum(np.median(shapes, axis=0) // PATCH_STEP * PATCH_STEP, PATCH_STEP).astype(int)
    while patch.prod() > LARGEST_PATCH:
        patch[patch.argmax()] -= PATCH_STEP
    return patch.tolist()


def propose_image_size(cases: Collection[Measured]) -> list[int]:
    """Rows and columns of the largest slice, up to the next multiples of 32, at most 512."""
    largest = np.max([case.shape[1:] for case in cases], axis=0)
    return np.minimum(-(-largest // IMAGE_STEP) * IMAGE_STEP, LARGEST_IMAGE).tolist()
