"""What right pixels of a class looked like lately: for a class of which a whole batch has no right pixel."""

from __future__ import annotations

import torch
from torch import Tensor

from .correctness import is_correct

__all__ = ["CorrectMemory"]

# Share of the past in the running mean (ours).
_MOMENTUM = 0.9


class CorrectMemory:
    """A running mean, for each class, of the probabilities of its right pixels.

    A mean of probabilities whose largest is that of class k has its largest there too, so it is right for class k (but for
    rounding, which whoever reads it must check). Sums run in float64: an image may have millions of pixels. It is not in
    the checkpoint: `forget` is called at the start of each epoch, so a resumed run has what an uninterrupted one has.

    ``rows`` is (K, K), row k for class k, all zeros before a right pixel of the class was seen; None before the first batch.
    """

    def __init__(self) -> None:
        self.rows: Tensor | None = None

    def forget(self) -> None:
        """Empties it."""
        self.rows = None

    @torch.no_grad()
    def update(self, probabilities: Tensor, label: Tensor) -> None:
        """Takes up the right pixels of a batch: probabilities (N, K, *spatial), labels (N, 1, *spatial)."""
        classes = probabilities.shape[1]
        right = is_correct(probabilities, label).flatten(1)
        kind = torch.where(right, label.flatten(1).long(), classes).flatten()  # class K: pixels left out
        rows = probabilities.flatten(2).transpose(1, 2).flatten(0, 1).double()
        sums = rows.new_zeros(classes + 1, classes).index_add_(0, kind, rows)[:classes]
        counts = torch.bincount(kind, minlength=classes + 1)[:classes, None]
        means = (sums / counts.clamp_min(1)).to(probabilities.dtype)
        if self.rows is None:
            self.rows = torch.zeros_like(means)
        known = self.rows.sum(dim=1, keepdim=True) > 0
        blended = torch.where(known, _MOMENTUM * self.rows + (1 - _MOMENTUM) * means, means)
        self.rows = torch.where(counts > 0, blended, self.rows)
