"""A memory of correct probabilities, for a class without a correct pixel in a whole batch."""

from __future__ import annotations

import torch
from torch import Tensor

from .correctness import is_correct

__all__ = ["CorrectMemory"]

# Share of the past in the running mean (ours).
_MOMENTUM = 0.9


class CorrectMemory:
    """The running mean of the probabilities of each class's correct pixels.

    A mean of probabilities that are correct for class k is correct for class k, except for rounding, which the reader
    must check. Sums run in float64, since an image may have millions of pixels. The memory is not in the checkpoint:
    `forget` is called at the start of each epoch, so a resumed run has the memory of an uninterrupted one.

    Attributes:
        rows: (K, K), row k for class k, all zeros before a correct pixel of the class was seen; None before the first
            batch.

    Example:
        >>> memory = CorrectMemory()
        >>> memory.update(torch.tensor([[[[0.9, 0.7]], [[0.1, 0.3]]]]), torch.zeros(1, 1, 1, 2))
        >>> memory.rows
        tensor([[0.8000, 0.2000],
                [0.0000, 0.0000]])
    """

    def __init__(self) -> None:
        self.rows: Tensor | None = None

    def forget(self) -> None:
        """Empty the memory."""
        self.rows = None

    @torch.no_grad()
    def update(self, probabilities: Tensor, label: Tensor) -> None:
        """Add the correct pixels of a batch to the running means.

        Args:
            probabilities: (N, K, *spatial).
            label: (N, 1, *spatial) integers.

        Raises:
            ValueError: If the label does not fit the probabilities.
        """
        classes = probabilities.shape[1]
        correct = is_correct(probabilities, label).flatten(1)
        group = torch.where(correct, label.flatten(1).long(), classes).flatten()  # group K: incorrect pixels
        pixels = probabilities.flatten(2).transpose(1, 2).flatten(0, 1).double()
        sums = pixels.new_zeros(classes + 1, classes).index_add_(0, group, pixels)[:classes]
        counts = torch.bincount(group, minlength=classes + 1)[:classes, None]
        means = (sums / counts.clamp_min(1)).to(probabilities.dtype)
        if self.rows is None:
            self.rows = torch.zeros_like(means)
        is_filled = self.rows.sum(dim=1, keepdim=True) > 0
        blended = torch.where(is_filled, _MOMENTUM * self.rows + (1 - _MOMENTUM) * means, means)
        self.rows = torch.where(counts > 0, blended, self.rows)
