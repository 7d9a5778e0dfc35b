"""Normalised surface Dice (NSD) of one class of a case."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from monai.metrics import compute_surface_dice
from torch import Tensor

__all__ = ["surface_dice"]


def surface_dice(prediction: Tensor, truth: Tensor, spacing: Sequence[float], tolerance: float) -> float:
    """Compute the share of both surfaces that lies within a tolerance of the other surface.

    It is MONAI's `compute_surface_dice` with ``use_subvoxels``: surface elements are weighted by their area in mm², as Nikolov
    et al. (arXiv 1809.04430) define the metric and their package ``surface-distance`` computes it. Without these weights
    slices that are thicker than their pixels count too little.

    Args:
        prediction: boolean mask (*spatial), two or three axes.
        truth: ground truth, of the same shape.
        spacing: mm along each axis; ones for pictures, whose tolerance is in pixels.
        tolerance: in the unit of ``spacing``, at least 0.

    Returns:
        From 0 to 1. 0 when the prediction is empty, NaN when the ground truth is empty, as for Dice.

    Example:
        >>> import torch
        >>> truth = torch.zeros(9, 9, dtype=torch.bool)
        >>> truth[2:6, 2:6] = True
        >>> surface_dice(truth.roll(1, dims=0), truth, (1.0, 1.0), tolerance=1.0)
        1.0
    """
    if not truth.any():
        return float("nan")
    if not prediction.any():
        return 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # MONAI warns of its own use of an argument
        masks = (prediction[None, None].float(), truth[None, None].float())
        value = compute_surface_dice(
            *masks, [tolerance], include_background=True, spacing=list(spacing), use_subvoxels=True
        )
    return float(value.item())
