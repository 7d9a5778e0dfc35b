"""Relative volume difference (RVD), which MONAI does not have."""

from __future__ import annotations

import torch
from monai.metrics import CumulativeIterationMetric
from monai.metrics.utils import do_metric_reduction
from monai.utils import MetricReduction
from torch import Tensor

__all__ = ["RelativeVolumeDifferenceMetric", "compute_relative_volume_difference"]


def compute_relative_volume_difference(y_pred: Tensor, y: Tensor, convention: str = "truth") -> Tensor:
    """(V_pred - V_gt) / V_gt per image and class; negative means too little was segmented; range [-1, inf).

    Args:
        y_pred, y: binarised, (B, C, *spatial).
        convention: "truth" as above, which is the HLFD and EMKD codes'; "lits_code" is (V_gt - V_pred) / V_pred, what the
            notebook released with LiTS computes by swapping the arguments of medpy's ravd.

    Returns:
        (B, C) float32; NaN where the denominator's volume is 0.

    Raises:
        ValueError: for differing shapes or an unknown convention.
    """
    if y_pred.shape != y.shape:
        raise ValueError(f"RVD: y_pred {tuple(y_pred.shape)} and y {tuple(y.shape)} must have the same shape")
    if convention not in ("truth", "lits_code"):
        raise ValueError(f"RVD: convention must be 'truth' or 'lits_code', found {convention!r}")
    # float64: volumes above 2^24 voxels are not whole numbers in float32
    predicted, truth = (volume.flatten(2).sum(dim=2, dtype=torch.float64) for volume in (y_pred, y))
    if convention == "lits_code":
        predicted, truth = truth, predicted
    return torch.where(truth > 0, (predicted - truth) / truth, torch.nan).float()


class RelativeVolumeDifferenceMetric(CumulativeIterationMetric):
    """`compute_relative_volume_difference` as a MONAI metric.

    Signed values cancel in a mean: report the mean of their absolute values beside it.

    Args:
        include_background: whether channel 0 counts.
        reduction: MONAI's `MetricReduction`; NaN values are left out.
        get_not_nans: whether `aggregate` returns (value, number of values) too.
        convention: see the function.
    """

    def __init__(
        self,
        include_background: bool = False,
        reduction: MetricReduction | str = MetricReduction.MEAN,
        get_not_nans: bool = False,
        convention: str = "truth",
    ) -> None:
        super().__init__()
        self.include_background = include_background
        self.reduction = reduction
        self.get_not_nans = get_not_nans
        self.convention = convention

    def _compute_tensor(self, y_pred: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        first = 0 if self.include_background else 1
        return compute_relative_volume_difference(y_pred[:, first:], y[:, first:], self.convention)

    def aggregate(self, reduction: MetricReduction | str | None = None) -> Tensor | tuple[Tensor, Tensor]:
        value, count = do_metric_reduction(self.get_buffer(), reduction or self.reduction)
        return (value, count) if self.get_not_nans else value
