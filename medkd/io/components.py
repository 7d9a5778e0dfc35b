"""Connected components of label maps: remove small ones, or all but the largest, without torch."""

from __future__ import annotations

import math

import numpy as np
import SimpleITK

__all__ = ["label_components", "remove_components", "voxel_volume"]


def label_components(mask: np.ndarray) -> np.ndarray:
    """Return the number of the connected component of each voxel, from 1 on; background is 0.

    Voxels are connected by a face, an edge or a corner: 26 neighbours in 3-D, 8 in 2-D, as MONAI's
    ``KeepLargestConnectedComponent`` has it by default.

    Args:
        mask: ``(*spatial)``, two or three axes. It may be empty.

    Example:
        >>> label_components(np.eye(2, dtype=bool)).tolist()
        [[1, 0], [0, 1]]
    """
    if not mask.any():  # ITK takes no image without pixels
        return np.zeros(mask.shape, dtype=np.uint32)
    return SimpleITK.GetArrayFromImage(_components(mask))


def voxel_volume(affine: np.ndarray | None, axes: int) -> float:
    """Return the volume of a voxel in ml, or 1 for a pixel of a picture, whose unit is the pixel.

    Args:
        affine: ``(4, 4)``, voxel indices to mm. Its determinant is right for sheared axes (a tilted gantry) too. None: voxels
            of 1 mm.
        axes: number of spatial axes; 2 for a picture.

    Example:
        >>> round(voxel_volume(np.diag([2.0, 1.0, 5.0, 1.0]), axes=3), 6)
        0.01
    """
    if axes == 2:
        return 1.0
    return 0.001 if affine is None else float(abs(np.linalg.det(np.asarray(affine, dtype=float)[:3, :3]))) / 1000.0


def remove_components(
    labels: np.ndarray, largest: bool = False, min_volume: float = 0.0, volume: float = 1.0
) -> np.ndarray:
    """Return labels without the components that are not wanted; their voxels become background.

    Each class is treated by itself. Components are those of `label_components`; of two largest ones one is kept.

    Args:
        labels: ``(*spatial)``, uint8; 0 is background.
        largest: whether to keep the largest component of each class only.
        min_volume: components below this volume are removed, the largest one too.
        volume: of a voxel, in the unit of ``min_volume``, see `voxel_volume`.

    Example:
        >>> remove_components(np.array([[1, 1, 0, 1, 0, 2]], dtype=np.uint8), largest=True).tolist()
        [[1, 1, 0, 0, 0, 2]]
    """
    # a voxel's volume is a product of rounded numbers: 1000 voxels of 0.001 ml are 1 ml
    least = math.ceil(min_volume / volume * (1 - 1e-6))
    result = labels.copy()
    for value in range(1, int(labels.max(initial=0)) + 1):
        mask = labels == value
        if not mask.any():
            continue
        ordered = SimpleITK.RelabelComponent(_components(mask), least, True)
        kept = SimpleITK.GetArrayViewFromImage(ordered)
        result[mask & ((kept != 1) if largest else (kept == 0))] = 0
    return result


def _components(mask: np.ndarray) -> SimpleITK.Image:
    return SimpleITK.ConnectedComponent(SimpleITK.GetImageFromArray(mask.astype(np.uint8)), True)
