"""Volumes as a hospital's folder might hold them: NIfTI files of images and of label maps, under one name a case."""

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
    """Write ``folder/images/<case>.nii.gz`` and ``folder/labels/<case>.nii.gz``; the same arguments give the same voxels.

    CT of the abdomen in HU, drawn as `make_kits19` draws it; labels: 0 background, 1 kidney, its tumours included.

    Args:
        folder: the two folders are made in it.
        cases: how many, at least 1.
        size: rows and columns in voxels, at least 32.
        slices: fewest and most slices of a case (inclusive), at least 8.

    Returns:
        the names of the cases.
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
