"""Torch's operations for `medkd.inferers.blending`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from .blending import Backend

__all__ = ["TORCH"]


def _resize_planes(stretch: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(stretch.movedim(1, 0), tuple(size), mode="bilinear").movedim(0, 1)


TORCH: Backend[Tensor] = Backend(
    asarray=lambda array, like: torch.from_numpy(array).to(like.device),
    full=lambda shape, value, like: torch.full(tuple(shape), value, dtype=torch.float32, device=like.device),
    stack=lambda tensors: torch.stack(list(tensors)),
    concatenate=lambda tensors, axis: torch.cat(list(tensors), dim=axis),
    exp=torch.exp,
    lerp=torch.lerp,
    resize_planes=_resize_planes,
)
