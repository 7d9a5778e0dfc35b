"""Relative volume difference (RVD), which MONAI does not have."""

from __future__ import annotations

import torch
from monai.metrics import CumulativeIterationMetric
from monai.metrics.utils import do_metric_reduction
from monai.utils import MetricReduction
from torch import Tensor

__all__ = ["RelativeVolumeDifferenceMetric", "compute_relative_volume_difference"]


def compute_relative_volume_difference(y_pred: Tensor, y: Tensor, convention: str = "truth") -> Tensor:
    """Compute (V_pred - V_gt) / V_gt for each image and class, in [-1, inf). A negative value means under-segmentation.

    Args:
        y_pred: binary prediction (B, C, *spatial).
        y: binary ground truth of the same shape.
        convention: "truth" for the formula above, as in the HLFD and EMKD codes; "lits_code" for (V_gt - V_pred) / V_pred,
            which the notebook released with LiTS computes, since it swaps the arguments of medpy's ravd.

    Returns:
        (B, C) float32; NaN where the denominator's volume is 0.

    Raises:
        ValueError: for different shapes or an unknown convention.

    Example:
        >>> y_pred, y = torch.tensor([[[1, 1, 1, 1]]]), torch.tensor([[[1, 1, 0, 0]]])
        >>> compute_relative_volume_difference(y_pred, y)
        tensor([[1.]])
    """
    if y_pred.shape != y.shape:
        raise ValueError(f"RVD: y_pred {tuple(y_pred.shape)} and y {tuple(y.shape)} must have the same shape")
    if convention not in ("truth", "lits_code"):
        raise ValueError(f"RVD: convention must be 'truth' or 'lits_code', found {convention!r}")
    # float64, since float32 does not hold whole numbers above 2^24
    predicted, truth = (volume.flatten(2).sum(dim=2, dtype=torch.float64) for volume in (y_pred, y))
    if convention == "lits_code":
        predicted, truth = truth, predicted
    return torch.where(truth > 0, (predicted - truth) / truth, torch.nan).float()


class RelativeVolumeDifferenceMetric(CumulativeIterationMetric):
    """Compute `compute_relative_volume_difference` as a MONAI metric.

    Signed values cancel in a mean: report the mean of their absolute values as well.

    Args:
        include_background: whether channel 0 counts.
        reduction: MONAI's `MetricReduction`. NaN values are left out.
        get_not_nans: whether `aggregate` returns the pair (value, number of values).
        convention: as in the function.

    Example:
        >>> metric = RelativeVolumeDifferenceMetric(include_background=True)
        >>> _ = metric(torch.tensor([[[1, 1, 1, 1]]]), torch.tensor([[[1, 1, 0, 0]]]))
        >>> metric.aggregate()
        tensor([1.])
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
        """Return the reduced value of all images, or the pair (value, number of values)."""
        value, count = do_metric_reduction(self.get_buffer(), reduction or self.reduction)
        return (value, count) if self.get_not_nans else value
