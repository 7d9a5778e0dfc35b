"""Calibration of a network's probabilities: bins of a case, and the expected calibration error (ECE)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.metrics import calibration_binning
from monai.transforms import MapTransform
from torch import Tensor

from .protocols import check_protocol, slices_with_target

__all__ = ["BINS", "CalibrationBinsd", "calibration_bins", "expected_calibration_error", "reliability"]

BINS = 20  # MONAI's default
_CHUNK = 2**18  # voxels at once: MONAI's float32 counts of a bin would stop at 2^24


def calibration_bins(logits: Tensor, truth: Tensor, bins: int = BINS) -> np.ndarray:
    """Sum up probabilities and ground truth of each foreground class in bins of equal width, over all voxels of a case.

    A class stands against all others: its softmax probability, and whether the ground truth has this class. It is MONAI's
    `calibration_binning` of one stretch of voxels after the other, summed in double precision: no array of the size of
    the case is made.

    Args:
        logits: (K, *spatial), any floating type; the softmax is computed in float32.
        truth: integer labels (*spatial).
        bins: number of bins.

    Returns:
        (K - 1, 3, bins), float64: for each class the number of voxels, the sum of the probabilities, and the number of
        voxels of the class in the ground truth.

    Example:
        >>> logits = torch.tensor([[0.0, 0.0], [0.0, 100.0]])
        >>> calibration_bins(logits, torch.tensor([0, 1]), bins=2).tolist()
        [[[1.0, 1.0], [0.5, 1.0], [0.0, 1.0]]]
    """
    classes = logits.shape[0]
    sums = torch.zeros(classes - 1, 3, bins, dtype=torch.float64)
    for values, labels in zip(logits.flatten(1).split(_CHUNK, dim=1), truth.flatten().split(_CHUNK), strict=True):
        probabilities = values.float().softmax(dim=0)
        for value in range(1, classes):
            means, shares, counts = (
                table[0, 0].double().cpu().nan_to_num()
                for table in calibration_binning(
                    probabilities[None, value : value + 1],
                    (labels == value)[None, None].to(values.device).float(),
                    bins,
                )
            )
            sums[value - 1] += torch.stack([counts, means * counts, (shares * counts).round()])
    return sums.numpy()


def expected_calibration_error(sums: np.ndarray) -> float:
    """Compute the ECE of one class: the mean over voxels of |mean probability - frequency| of their bin.

    It is the value of MONAI's ``CalibrationErrorMetric`` (Guo et al., ICML 2017, for one class against all others).

    Args:
        sums: (3, bins), of `calibration_bins`.

    Returns:
        From 0 to 1; NaN without voxels. It has a value whether or not the ground truth or the prediction is empty.

    Example:
        >>> expected_calibration_error(np.array([[2.0, 2.0], [0.5, 1.5], [0.0, 2.0]]))
        0.25
    """
    counts, probabilities, frequencies = sums
    total = counts.sum()
    return float(np.abs(probabilities - frequencies).sum() / total) if total else float("nan")


def reliability(sums: Iterable[np.ndarray]) -> dict[str, list[float | int | None]]:
    """Return the points of a reliability diagram of one class, over cases.

    Args:
        sums: (3, bins) of each case.

    Returns:
        For each bin "voxels", "probability" (the mean) and "frequency" (share of voxels that are of the class); None in a
        bin without voxels.
    """
    counts, probabilities, frequencies = np.sum([*sums], axis=0)
    return {
        "voxels": [int(count) for count in counts],
        "probability": [float(p / n) if n else None for p, n in zip(probabilities, counts, strict=True)],
        "frequency": [float(f / n) if n else None for f, n in zip(frequencies, counts, strict=True)],
    }


class CalibrationBinsd(MapTransform):
    """Dictionary transform that adds `calibration_bins` of a case to the item, under "calibration".

    Args:
        keys: key of logits (K, *spatial) on the grid of the label.
        label_key: key of the ground truth, integer labels (1, *spatial).
        protocol: with "hlfd" the voxels of slices that hold the target count, else all voxels.
    """

    def __init__(self, keys: KeysCollection, label_key: str = "label", protocol: str = "whole") -> None:
        super().__init__(keys)
        check_protocol(protocol)
        self.label_key, self.protocol = label_key, protocol

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with the bins.

        Raises:
            ValueError: for labels in place of logits: some inferers decide by themselves.
        """
        item = dict(data)
        for key in self.key_iterator(item):
            logits, truth = torch.as_tensor(item[key]).as_subclass(Tensor), item[self.label_key].as_subclass(Tensor)[0]
            if not logits.is_floating_point():
                raise ValueError("--metrics: ece needs the logits of the network, found an inferer that returns labels")
            if self.protocol == "hlfd":
                kept = slices_with_target(truth)
                logits, truth = logits[:, kept], truth[kept]
            item["calibration"] = calibration_bins(logits, truth)
        return item
