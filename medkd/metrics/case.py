"""Metrics of one case by class, and their summary over cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from monai.metrics import compute_dice, compute_hausdorff_distance, compute_iou
from torch import Tensor

from .extra import EXTRA_METRICS
from .lesions import lesion_metrics
from .protocols import check_protocol, slices_with_target
from .relative_volume_difference import compute_relative_volume_difference
from .surface_dice import surface_dice

__all__ = ["METRICS", "RAW", "case_metrics", "summarise"]

METRICS = ("dice", "iou", "rvd", "abs_rvd", "hd95", "missed", "empty_truth", "false_alarm")
RAW = "_raw"  # end of a column's name: of the prediction before components were removed
_EXTRA_COLUMNS = (*(column for columns in EXTRA_METRICS.values() for column in columns), "removed_voxels")


def case_metrics(
    prediction: Tensor,
    truth: Tensor,
    classes: Mapping[int, str],
    spacing: Sequence[float],
    protocol: str = "whole",
    voxel_volume: float | None = None,
    extra: Sequence[str] = (),
    nsd_mm: float = 2.0,
) -> list[dict[str, Any]]:
    """Compute one row of metrics a foreground class for the volume of one patient, or for one image.

    Args:
        prediction: integer labels (*spatial).
        truth: ground truth, integer labels of the same shape.
        classes: label value -> name, without background.
        spacing: mm along each axis (1 for images: distances are then in pixels).
        protocol: "whole", or "hlfd" for the released code's: slices (first axis) with foreground alone, Dice smoothed by 1.
        voxel_volume: volume of a voxel in mm³ where the axes are sheared (a tilted gantry). None: the product of the
            spacings.
        extra: names of `EXTRA_METRICS` to compute as well. "ece" needs probabilities and is not computed here, see
            `expected_calibration_error`.
        nsd_mm: tolerance of "nsd" in mm, in pixels for images.

    Returns:
        Rows with "class", the `METRICS`, and "volume_truth", "volume_prediction" in ml (of images in 1000 pixels):

        - dice, iou, rvd, abs_rvd: NaN when the ground truth is empty.
        - hd95: 95th percentile of the symmetric surface distance in mm, computed from the spacings, as if sheared axes were
          orthogonal. NaN when ground truth or prediction is empty, and with protocol "hlfd", whose slices need not be
          neighbours.
        - missed: 1 when the prediction is empty, else 0; NaN when the ground truth is empty.
        - empty_truth: 1 when the ground truth is empty, else 0.
        - false_alarm: 1 when the ground truth is empty and the prediction is not, 0 when both are empty, else NaN.
        - nsd, with nsd_tolerance: see `surface_dice`. 0 when the prediction is empty, NaN when the ground truth is empty.
        - lesion_sensitivity, lesion_precision and numbers of lesions: see `lesion_metrics`.
        - The columns of "nsd" and "lesions" are NaN with protocol "hlfd", for the same reason as hd95.

    Raises:
        ValueError: for an unknown protocol, different shapes, or protocol "hlfd" of an image.

    Example:
        >>> import torch
        >>> truth = torch.zeros(4, 8, 8, dtype=torch.uint8)
        >>> truth[1:3, 2:6, 2:6] = 1
        >>> case_metrics(truth, truth, {1: "tumour"}, spacing=(5.0, 1.0, 1.0))[0]["dice"]
        1.0
    """
    check_protocol(protocol)
    if prediction.shape != truth.shape:
        raise ValueError(
            f"prediction {tuple(prediction.shape)} and truth {tuple(truth.shape)} must have the same shape"
        )
    if protocol == "hlfd":
        if truth.ndim != 3:
            raise ValueError(f"protocol 'hlfd' is for volumes (S, H, W), found {tuple(truth.shape)}")
        with_target = slices_with_target(truth)
        prediction, truth = prediction[with_target], truth[with_target]
    voxel = (float(np.prod(spacing)) if voxel_volume is None else voxel_volume) / 1000.0
    rows = []
    for value, name in classes.items():
        masks = prediction == value, truth == value
        row = _class_row(*masks, name, spacing, voxel, protocol)
        rows.append(row | _extra_columns(*masks, spacing, protocol, extra, nsd_mm))
    return rows


def _class_row(
    prediction: Tensor, truth: Tensor, name: str, spacing: Sequence[float], voxel: float, protocol: str
) -> dict[str, Any]:
    """Compute the row of one class from boolean masks (*spatial) and the volume of a voxel in ml."""
    row: dict[str, Any] = dict.fromkeys(METRICS, float("nan"))
    n_prediction, n_truth = int(prediction.sum()), int(truth.sum())
    row.update({"class": name, "empty_truth": float(n_truth == 0)})
    if n_truth == 0:
        row["false_alarm"] = float(n_prediction > 0)
    else:
        y_pred, y = prediction[None, None].float(), truth[None, None].float()
        dice = compute_dice(y_pred, y).item()
        if protocol == "hlfd":
            dice = (2 * int((prediction & truth).sum()) + 1) / (n_prediction + n_truth + 1)
        rvd = compute_relative_volume_difference(prediction[None, None], truth[None, None]).item()
        row.update(
            dice=dice, iou=compute_iou(y_pred, y).item(), rvd=rvd, abs_rvd=abs(rvd), missed=float(n_prediction == 0)
        )
        # the slices that protocol "hlfd" keeps need not be neighbours: distances between them would be too short
        if n_prediction and protocol == "whole":
            row["hd95"] = compute_hausdorff_distance(
                y_pred, y, include_background=True, percentile=95, spacing=list(spacing)
            ).item()
    return {**row, "volume_truth": n_truth * voxel, "volume_prediction": n_prediction * voxel}


def _extra_columns(
    prediction: Tensor, truth: Tensor, spacing: Sequence[float], protocol: str, extra: Sequence[str], nsd_mm: float
) -> dict[str, Any]:
    """Compute the requested columns of one class from boolean masks (*spatial)."""
    columns: dict[str, Any] = {}
    is_whole = protocol == "whole"
    if "nsd" in extra:
        nsd = surface_dice(prediction, truth, spacing, nsd_mm) if is_whole else float("nan")
        columns |= {"nsd": nsd, "nsd_tolerance": nsd_mm}
    if "lesions" in extra:
        unknown = dict.fromkeys(EXTRA_METRICS["lesions"], float("nan"))
        columns |= lesion_metrics(prediction, truth) if is_whole else unknown
    return columns


def summarise(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float | int | None]]]:
    """Summarise rows of `case_metrics` over cases, and over patients where the rows name them.

    The mean of ``missed`` is the share of missed cases. ``empty_truth`` and ``false_alarm`` describe the cases that the
    other means leave out.

    Args:
        rows: rows of any number of cases, perhaps with the columns of `EXTRA_METRICS`, those of raw predictions, and
            "patient", of whom several rows may be.

    Returns:
        ``{class: {metric: {"mean", "std", "n"}}}``. NaN values are left out; n is the number of the others. std is the
        standard deviation of a sample (0 for n = 1). A metric without any value has None. Rows with "patient" add
        ``"mean_over_patients"``, ``"std_over_patients"`` and ``"patients"``, their number; the value of a patient is the mean
        over its cases.

    Example:
        >>> rows = [{"class": "tumour", **dict.fromkeys(METRICS, value)} for value in (0.5, 1.0)]
        >>> summarise(rows)["tumour"]["dice"]["mean"]
        0.75
    """
    table = pd.DataFrame(list(rows))
    extra = [name for name in map(str, table) if name in _EXTRA_COLUMNS or name.endswith(RAW)]
    summary: dict[str, dict[str, dict[str, float | int | None]]] = {}
    for name, group in table.groupby("class", sort=False):
        of_class = summary[str(name)] = {metric: _statistics(group[metric].dropna()) for metric in (*METRICS, *extra)}
        if "patient" in group:
            for metric, statistics in of_class.items():
                statistics |= _over_patients(group.groupby("patient")[metric].mean().dropna())
    return summary


def _statistics(values: pd.Series) -> dict[str, float | int | None]:
    """Return mean, standard deviation and number of values."""
    n = len(values)
    if n == 0:
        return {"mean": None, "std": None, "n": 0}
    return {"mean": float(values.mean()), "std": float(values.std(ddof=1)) if n > 1 else 0.0, "n": n}


def _over_patients(values: pd.Series) -> dict[str, float | int | None]:
    """Return the statistics of the means of patients by names that say so."""
    statistics = _statistics(values)
    names = {"mean": "mean_over_patients", "std": "std_over_patients", "n": "patients"}
    return {names[name]: value for name, value in statistics.items()}
