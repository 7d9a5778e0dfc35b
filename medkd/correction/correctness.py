"""Which pixels are wrong, and the control that merely exchanges their two values."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["is_correct", "swap_incorrect"]

# By how much a tie is broken: visible in float32 and in half precision, small beside any probability that teaches.
_MARGIN = 1e-3


def is_correct(probabilities: Tensor, label: Tensor) -> Tensor:
    """Where the labelled class is the most probable, alone: (N, K, *spatial), (N, 1, *spatial) to (N, 1, *spatial), boolean.

    A tie is wrong, so that no convention of argmax decides.

    Raises:
        ValueError: when label and probabilities do not fit.
    """
    if (
        label.shape[1:2] != (1,)
        or label.shape[0] != probabilities.shape[0]
        or label.shape[2:] != probabilities.shape[2:]
    ):
        raise ValueError(f"label {tuple(label.shape)} does not fit the probabilities {tuple(probabilities.shape)}")
    index = label.long()
    own = probabilities.gather(1, index)
    others = probabilities.scatter(1, index, -torch.inf).amax(dim=1, keepdim=True)
    return own > others


def swap_incorrect(probabilities: Tensor, label: Tensor) -> Tensor:
    """The labelled and the winning class of each wrong pixel exchange their probabilities: right, at no cost.

    The control of PLC-KD: it makes every pixel right without assistants and without similarity. Where a tie is left by the
    exchange, 0.001 of the pixel's probability moves to the labelled class.
    """
    index = label.long()
    own = probabilities.gather(1, index)
    best, winner = probabilities.scatter(1, index, -torch.inf).max(dim=1, keepdim=True)
    swapped = probabilities.scatter(1, index, best).scatter(1, winner, own)
    moved = (1 - _MARGIN) * swapped
    moved = moved.scatter_add(1, index, torch.full_like(own, _MARGIN))
    swapped = torch.where(is_correct(swapped, label), swapped, moved)
    return torch.where(own > best, probabilities, swapped)
