"""Sensitivity and precision per lesion: connected components in place of voxels."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from medkd.io.components import label_components

__all__ = ["lesion_metrics"]


def lesion_metrics(prediction: Tensor, truth: Tensor) -> dict[str, float]:
    """Compute how many lesions of one class are found, and how many predicted ones are lesions.

    A lesion is a connected component (26 neighbours in 3-D, 8 in 2-D). A lesion of the ground truth is found if one of its
    voxels is predicted. A predicted lesion is false if none of its voxels is in the ground truth. Any overlap counts, as in
    the lesion-wise F1 of the challenges ISLES 2022 and ATLAS (https://atlas.grand-challenge.org/Evaluation/).

    Args:
        prediction: boolean mask (*spatial), two or three axes.
        truth: ground truth, of the same shape.

    Returns:
        The columns of the table:

        - lesions_truth, lesions_found, lesions_predicted, lesions_false: numbers of lesions.
        - lesion_sensitivity: lesions_found / lesions_truth; NaN when the ground truth is empty.
        - lesion_precision: share of the predicted lesions that are not false; NaN when the prediction is empty. It is 0
          when the ground truth is empty and the prediction is not.

    Example:
        >>> import torch
        >>> truth, prediction = torch.tensor([[1, 0, 1, 0, 0]]), torch.tensor([[1, 0, 0, 0, 1]])
        >>> metrics = lesion_metrics(prediction, truth)
        >>> metrics["lesion_sensitivity"], metrics["lesion_precision"]
        (0.5, 0.5)
    """
    predicted, true = (mask.bool().cpu().numpy() for mask in (prediction, truth))
    of_truth, of_prediction = label_components(true), label_components(predicted)
    n_truth, n_predicted = (int(components.max(initial=0)) for components in (of_truth, of_prediction))
    found = int(np.count_nonzero(np.unique(of_truth[predicted])))
    right = int(np.count_nonzero(np.unique(of_prediction[true])))
    return {
        "lesion_sensitivity": found / n_truth if n_truth else float("nan"),
        "lesion_precision": right / n_predicted if n_predicted else float("nan"),
        "lesions_truth": float(n_truth),
        "lesions_found": float(found),
        "lesions_predicted": float(n_predicted),
        "lesions_false": float(n_predicted - right),
    }
