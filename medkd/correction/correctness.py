"""Correct and incorrect pixels, the swap control, and probabilities as logits."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["is_correct", "log_probabilities", "swap_incorrect"]

# The probability that breaks a tie: visible in float32 and half precision, small beside any probability that teaches.
_MARGIN = 1e-3
# A smaller probability carries no information, and its logarithm would dominate the loss.
_FLOOR = 1e-6


def is_correct(probabilities: Tensor, label: Tensor) -> Tensor:
    """Return where the labelled class alone has the highest probability.

    A tie is incorrect, so the result does not depend on which of two equal values argmax takes.

    Args:
        probabilities: (N, K, *spatial).
        label: (N, 1, *spatial) integers.

    Returns:
        Boolean mask (N, 1, *spatial).

    Raises:
        ValueError: If the label does not fit the probabilities.

    Example:
        >>> probabilities = torch.tensor([[[[0.9, 0.2, 0.5]], [[0.1, 0.8, 0.5]]]])
        >>> is_correct(probabilities, torch.tensor([[[[0, 0, 0]]]])).tolist()
        [[[[True, False, False]]]]
    """
    if (
        label.shape[1:2] != (1,)
        or label.shape[0] != probabilities.shape[0]
        or label.shape[2:] != probabilities.shape[2:]
    ):
        raise ValueError(f"label {tuple(label.shape)} does not fit the probabilities {tuple(probabilities.shape)}")
    index = label.long()
    labelled = probabilities.gather(1, index)
    others = probabilities.scatter(1, index, -torch.inf).amax(dim=1, keepdim=True)
    return labelled > others


def swap_incorrect(probabilities: Tensor, label: Tensor) -> Tensor:
    """Exchange the probabilities of the labelled and the winning class in each incorrect pixel.

    This is the control of PLC-KD: every pixel becomes correct without assistants and without similarity. If the exchange
    leaves a tie, 0.001 of the pixel's probability moves to the labelled class.

    Args:
        probabilities: (N, K, *spatial).
        label: (N, 1, *spatial) integers.

    Returns:
        Probabilities (N, K, *spatial), correct everywhere. Correct pixels are bit-identical.

    Raises:
        ValueError: If the label does not fit the probabilities.

    Example:
        >>> probabilities = torch.tensor([[[[0.9, 0.3]], [[0.1, 0.7]]]])
        >>> swap_incorrect(probabilities, torch.tensor([[[[1, 1]]]]))[0, 1]
        tensor([[0.9000, 0.7000]])
    """
    index = label.long()
    labelled = probabilities.gather(1, index)
    best, winner = probabilities.scatter(1, index, -torch.inf).max(dim=1, keepdim=True)
    swapped = probabilities.scatter(1, index, best).scatter(1, winner, labelled)
    moved = (1 - _MARGIN) * swapped
    moved = moved.scatter_add(1, index, torch.full_like(labelled, _MARGIN))
    swapped = torch.where(is_correct(swapped, label), swapped, moved)
    return torch.where(labelled > best, probabilities, swapped)


def log_probabilities(probabilities: Tensor) -> Tensor:
    """Return logits with these probabilities as their softmax: the logarithm, floored at 1e-6 and renormalised.

    At temperature T the softmax of the result is proportional to probabilities^(1/T).

    Args:
        probabilities: (N, K, *spatial), the sum over K being 1.

    Returns:
        Logits (N, K, *spatial).

    Example:
        >>> log_probabilities(torch.tensor([[[0.75], [0.25]]])).softmax(1).flatten()
        tensor([0.7500, 0.2500])
    """
    floored = probabilities.clamp_min(_FLOOR)
    return (floored / floored.sum(dim=1, keepdim=True)).log()
