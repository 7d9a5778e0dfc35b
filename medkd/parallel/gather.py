"""Gathers of tensors over all processes."""

from __future__ import annotations

import torch
from torch import Tensor, distributed
from torch.distributed.nn.functional import all_gather

from .group import processes

__all__ = ["concat_all_gather", "weight_among_processes"]


def concat_all_gather(x: Tensor) -> Tensor:
    """Concatenate a tensor of all processes along the batch axis. Gradients flow to each process.

    Args:
        x: (N, ...), of equal shape in all processes.

    Returns:
        (N * processes, ...), or x itself in a run of one process.

    Example:
        >>> x = torch.ones(2, 3)
        >>> concat_all_gather(x) is x
        True
    """
    return x if processes() == 1 else torch.cat(all_gather(x.contiguous()), dim=0)


def weight_among_processes(count: int, like: Tensor) -> Tensor | float:
    """Return the factor by which the mean over this process's images becomes a share of the mean over those of all.

    The mean of the products over all processes, which the gradients get, is the mean over all images.

    Args:
        count: number of images of this process; 0 is possible.
        like: a tensor on the device of the gather.

    Returns:
        count * processes / (images of all processes), without waiting for a GPU; 1.0 in a run of one process.

    Example:
        >>> weight_among_processes(3, torch.zeros(1))
        1.0
    """
    if processes() == 1:
        return 1.0
    total = torch.full((), count, dtype=torch.float32, device=like.device)
    distributed.all_reduce(total)
    return count * processes() / total.clamp_min(1)
