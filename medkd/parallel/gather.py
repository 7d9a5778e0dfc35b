"""Gathers of tensors over all processes."""

from __future__ import annotations

import torch
from torch import Tensor, distributed
from torch.distributed.nn.functional import all_gather

__all__ = ["concat_all_gather"]


def concat_all_gather(x: Tensor) -> Tensor:
    """Joined along the batch over all processes, with gradients to each; x itself when there is one. Equal shapes only."""
    if not (distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1):
        return x
    return torch.cat(all_gather(x.contiguous()), dim=0)
