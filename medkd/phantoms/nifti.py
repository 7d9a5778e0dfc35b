"""Abdominal CT phantoms as two folders of NIfTI files, images and label maps with equal names."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from medkd.io.paths import PathLike

from ._abdomen import check_sizes
from .kits19 import kits19_affine, make_phantom

__all__ = ["make_nifti"]


def make_nifti(
    folder: PathLike,
    cases: int = 8,
    size: int = 96,
    slices: tuple[int, int] = (24, 40),
    seed: int = 0,
    channels: int = 1,
) -> list[str]:
    """Write ``folder/images/<case>.nii.gz`` and ``folder/labels/<case>.nii.gz``; of several channels ``<case>_0000.nii.gz``.

    CT of the abdomen in HU, like `make_kits19`. Labels: 0 background, 1 kidney, tumours included.
    The same arguments give the same voxels.

    Args:
        folder: parent of the two folders.
        cases: number of cases, at least 1.
        size: rows and columns in voxels, at least 32.
        slices: smallest and largest number of slices of a case (inclusive), at least 8.
        seed: the same seed gives the same voxels.
        channels: number of channels. The first is CT; the others are on a scale that differs from case to case, as in MR.

    Returns:
        The names of the cases.

    Raises:
        ValueError: for numbers that are too small.
    """
    check_sizes("make_nifti", cases, size, slices)
    names = [f"patient_{number:02d}" for number in range(cases)]
    for number, name in enumerate(names):
        rng = np.random.default_rng([seed, number])
        image, label = make_phantom(rng, (int(rng.integers(slices[0], slices[1] + 1)), size, size), small=False)
        affine = kits19_affine(rng.choice([5.0, 6.0, 7.5]), round(300 / size, 4))
        arrays = {f"labels/{name}": (label > 0).astype(np.uint8)}
        for channel in range(channels):
            file = f"images/{name}_{channel:04}" if channels > 1 else f"images/{name}"
            arrays[file] = image if channel == 0 else _other_channel(image, label, rng)
        for file, array in arrays.items():
            path = Path(folder) / f"{file}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(array, affine), path)
    return names


def _other_channel(image: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an image of the same body in another contrast, on a scale of its own, without negative values."""
    contrast = (
        np.abs(np.clip(image, -200, 200) - rng.uniform(-50, 50)) + 60 * (label > 0) + rng.normal(0, 10, image.shape)
    )
    return (np.clip(contrast, 0, None) * rng.uniform(0.5, 20)).astype(np.float32)
