"""Metrics of one whole case, class by class, and their summary over cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from monai.metrics import compute_dice, compute_hausdorff_distance, compute_iou
from torch import Tensor

from .protocols import check_protocol, slices_with_target
from .relative_volume_difference import compute_relative_volume_difference

__all__ = ["METRICS", "case_metrics", "summarise"]

METRICS = ("dice", "iou", "rvd", "abs_rvd", "hd95", "missed", "empty_truth", "false_alarm")


def case_metrics(
    prediction: Tensor,
    truth: Tensor,
    classes: Mapping[int, str],
    spacing: Sequence[float],
    protocol: str = "whole",
    voxel_volume: float | None = None,
) -> list[dict[str, Any]]:
    """One row per foreground class for one patient's volume (or one image).

    Args:
        prediction, truth: integer labels of equal shape (*spatial).
        classes: label value -> name, background not among them.
        spacing: mm an axis (1 for images: distances are then in pixels).
        protocol: "whole", or "hlfd": only slices (first axis) with foreground, Dice smoothed by 1, as the released code.
        voxel_volume: mm³, where the axes are sheared (a tilted gantry); None: the product of the spacings.

    Returns:
        Rows with "class", the `METRICS`, and "volume_truth", "volume_prediction" in ml (images: in 1000 pixels):

        - dice, iou, rvd, abs_rvd: NaN when the truth is empty.
        - hd95: 95th percentile of the symmetric surface distance, in mm by the spacings, sheared axes taken for
          right-angled; NaN when truth or prediction is empty, and by protocol "hlfd", whose slices need not be neighbours.
        - missed: 1 when the truth is not empty and the prediction is; NaN when the truth is empty.
        - empty_truth: 1 when the case has no such class; false_alarm: of these, 1 when some was predicted, else NaN.

    Raises:
        ValueError: for differing shapes.
    """
    check_protocol(protocol)
    if prediction.shape != truth.shape:
        raise ValueError(
            f"prediction {tuple(prediction.shape)} and truth {tuple(truth.shape)} must have the same shape"
        )
    if protocol == "hlfd":
        if truth.ndim != 3:
            raise ValueError(f"protocol 'hlfd' is for volumes (S, H, W), found {tuple(truth.shape)}")
        kept = slices_with_target(truth)
        prediction, truth = prediction[kept], truth[kept]
    voxel = (float(np.prod(spacing)) if voxel_volume is None else voxel_volume) / 1000.0
    return [
        _class_row(prediction == value, truth == value, name, spacing, voxel, protocol)
        for value, name in classes.items()
    ]


def _class_row(found: Tensor, wanted: Tensor, name: str, spacing: Sequence[float], voxel: float, protocol: str) -> dict:
    row = dict.fromkeys(METRICS, float("nan"))
    n_found, n_wanted = int(found.sum()), int(wanted.sum())
    row.update({"class": name, "empty_truth": float(n_wanted == 0)})
    if n_wanted == 0:
        row["false_alarm"] = float(n_found > 0)
    else:
        y_pred, y = found[None, None].float(), wanted[None, None].float()
        dice = compute_dice(y_pred, y).item()
        if protocol == "hlfd":
            dice = (2 * int((found & wanted).sum()) + 1) / (n_found + n_wanted + 1)
        rvd = compute_relative_volume_difference(found[None, None], wanted[None, None]).item()
        row.update(dice=dice, iou=compute_iou(y_pred, y).item(), rvd=rvd, abs_rvd=abs(rvd), missed=float(n_found == 0))
        # the slices that protocol "hlfd" keeps need not be neighbours: distances between them would be too short
        if n_found and protocol == "whole":
            row["hd95"] = compute_hausdorff_distance(
                y_pred, y, include_background=True, percentile=95, spacing=list(spacing)
            ).item()
    return {**row, "volume_truth": n_wanted * voxel, "volume_prediction": n_found * voxel}


def summarise(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float | int | None]]]:
    """``{class: {metric: {"mean", "std", "n"}}}`` over cases; NaN values are left out and n says how many were not.

    std is the sample's (0 for n = 1); a metric that no case has gives None. The mean of ``missed`` is the share of cases
    that were missed, and ``empty_truth`` and ``false_alarm`` tell about the cases that the other means leave out.
    """
    table = pd.DataFrame(list(rows))
    summary: dict[str, dict] = {}
    for name, group in table.groupby("class", sort=False):
        summary[str(name)] = {metric: _statistics(group[metric].dropna()) for metric in METRICS}
    return summary


def _statistics(values: pd.Series) -> dict[str, float | int | None]:
    n = len(values)
    if n == 0:
        return {"mean": None, "std": None, "n": 0}
    return {"mean": float(values.mean()), "std": float(values.std(ddof=1)) if n > 1 else 0.0, "n": n}
