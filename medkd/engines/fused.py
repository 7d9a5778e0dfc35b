"""A fused optimizer resumes a run of another device."""

from __future__ import annotations

from typing import Any

from torch.optim import Optimizer

__all__ = ["keep_fused"]


def keep_fused(optimizer: Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    """Return a state to load whose groups are fused if those of the optimizer are: a hook of ``load_state_dict``.

    A run may go on on another device. torch would take ``fused`` from the state, and an optimizer that was built fused then
    fails in its next step under a gradient scaler.

    Args:
        optimizer: which loads the state.
        state: of an optimizer with the same groups.

    Example:
        >>> import torch
        >>> fused = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], fused=True)
        >>> plain = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
        >>> keep_fused(fused, plain.state_dict())["param_groups"][0]["fused"]
        True
    """
    groups = [
        {**saved, "fused": group["fused"]} if "fused" in group else saved
        for saved, group in zip(
            state["param_groups"], optimizer.param_groups, strict=False
        )  # torch tells other numbers
    ]
    return {**state, "param_groups": groups}
