"""Abdominal CT phantoms as two folders of NIfTI files, images and label maps with equal names."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from monai.config import PathLike

from ._abdomen import check_sizes
from .kits19 import kits19_affine, make_phantom

__all__ = ["make_nifti"]


def make_nifti(
    folder: PathLike, cases: int = 8, size: int = 96, slices: tuple[int, int] = (24, 40), seed: int = 0
) -> list[str]:
    """Write ``folder/images/<case>.nii.gz`` and ``folder/labels/<case>.nii.gz``.

    CT of the abdomen in HU, like `make_kits19`. Labels: 0 background, 1 kidney, tumours included.
    The same arguments give the same voxels.

    Args:
        folder: parent of the two folders.
        cases: number of cases, at least 1.
        size: rows and columns in voxels, at least 32.
        slices: smallest and largest number of slices of a case (inclusive), at least 8.
        seed: the same seed gives the same voxels.

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
        for kind, array in (("images", image), ("labels", (label > 0).astype(np.uint8))):
            path = Path(folder) / kind / f"{name}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(array, affine), path)
    return names
