"""Importance maps: where a feature map is active."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["importance_map"]


def importance_map(feature: Tensor, p: float) -> Tensor:
    """Return where a map is active: the mean over channels of |f|^p, flattened, divided by its L2 norm.

    Features of size 1e-12 have the same map as larger ones, in float32 too. An all-zero map stays zero.

    Args:
        feature: a map (N, C, *spatial).
        p: the power.

    Returns:
        (N, P), P positions.

    Example:
        >>> importance_map(torch.tensor([[[3.0, 4.0]]]), p=1)
        tensor([[0.6000, 0.8000]])
    """
    result: Tensor = _ImportanceMap.apply(feature.flatten(2), p)
    return result


class _ImportanceMap(torch.autograd.Function):
    """The importance map of a map (N, C, P). Of the size of the features, it keeps these alone for the backward.

    Each image has a scale, its largest mean of f^2, that cancels in the result and keeps the powers of small features above
    the smallest float32.
    """

    @staticmethod
    def forward(ctx: Any, feature: Tensor, p: float) -> Tensor:
        power = feature.square()
        mean = power.mean(dim=1)
        scale = mean.amax(dim=1, keepdim=True)
        scale.masked_fill_(scale == 0, 1.0)
        mean = mean / scale if p == 2 else power.div_(scale.unsqueeze(2)).pow_(p / 2).mean(dim=1)
        norm = torch.linalg.vector_norm(mean, dim=1, keepdim=True).clamp_min(1e-12)
        unit = mean / norm
        ctx.save_for_backward(feature, scale, unit, norm)
        ctx.p = p
        return unit

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        feature, scale, unit, norm = ctx.saved_tensors
        gradient = gradient - unit * (gradient * unit).sum(dim=1, keepdim=True)
        factor = (gradient * (ctx.p / feature.shape[1] / (norm * scale))).unsqueeze(1)
        if ctx.p == 2:
            return feature * factor, None
        power = feature.square().div_(scale.unsqueeze(2))
        if ctx.p < 2:  # 0 to a negative power is infinite, and infinity times 0 is no number
            power.clamp_min_(torch.finfo(power.dtype).tiny)
        return power.pow_(ctx.p / 2 - 1).mul_(feature).mul_(factor), None
