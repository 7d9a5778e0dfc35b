"""Clip the gradient of a step, under a gradient scaler too."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

__all__ = ["clip_gradients", "optimized_parameters"]


def optimized_parameters(optimizer: Optimizer) -> list[nn.Parameter]:
    """Return the parameters of an optimizer, of all its groups."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


@torch.no_grad()
def clip_gradients(optimizer: Optimizer, args: Any, kwargs: Any, clip_norm: float) -> None:
    """Clip the norm of the whole gradient: a hook that runs before each step of an optimizer.

    A `GradScaler` unscales the gradients before it calls ``optimizer.step``. A fused optimizer unscales them itself, within
    the step, by its attribute ``grad_scale``. They are then unscaled here, and the optimizer leaves them as they are.

    Args:
        optimizer: of the gradients.
        args: of the step, not used.
        kwargs: of the step, not used.
        clip_norm: largest L2 norm.

    Example:
        >>> parameter = nn.Parameter(torch.zeros(1))
        >>> parameter.grad = torch.tensor([8.0])
        >>> clip_gradients(torch.optim.SGD([parameter]), (), {}, clip_norm=1.0)
        >>> parameter.grad
        tensor([1.0000])
    """
    parameters = optimized_parameters(optimizer)
    scale: torch.Tensor | None = getattr(optimizer, "grad_scale", None)
    if scale is not None:
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.div_(scale)
        optimizer.grad_scale = None  # type: ignore[attr-defined]  # the scaler's attribute
    nn.utils.clip_grad_norm_(parameters, clip_norm)
