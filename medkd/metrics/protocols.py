"""Protocols: how logits become labels, and which slices count."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["PROTOCOLS", "check_protocol", "logits_to_labels", "slices_with_target"]

PROTOCOLS = {
    "whole": "argmax, all slices of a case",
    "hlfd": "foreground probability > 0.4, only the slices that hold the target: false positives elsewhere never count",
}
_HLFD_THRESHOLD = 0.4


def check_protocol(protocol: str) -> None:
    """Raise ValueError for an unknown protocol."""
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, found {protocol!r}")


def logits_to_labels(logits: Tensor, protocol: str = "whole") -> Tensor:
    """Return the label map of the logits.

    Args:
        logits: (K, *spatial). A label map, of type uint8, is returned as it is: an inferer may return labels.
        protocol: "whole" for the argmax; "hlfd" for a foreground probability above 0.4.

    Returns:
        Labels (1, *spatial), uint8.

    Raises:
        ValueError: for an unknown protocol, or "hlfd" with more than two classes: its threshold is for one foreground.

    Example:
        >>> logits_to_labels(torch.tensor([[1.0, -1.0], [0.0, 0.0]]))
        tensor([[0, 1]], dtype=torch.uint8)
    """
    check_protocol(protocol)
    if logits.dtype == torch.uint8:
        return logits
    if protocol == "whole":
        # the same indices as argmax, which is fifteen times slower along the first axis on a CPU
        return logits.max(dim=0, keepdim=True).indices.to(torch.uint8)
    if logits.shape[0] != 2:
        raise ValueError(
            f"protocol 'hlfd' is for one foreground class, found {logits.shape[0] - 1}: "
            "use protocol 'whole', or a single target class"
        )
    return (logits.float().softmax(dim=0)[1:] > _HLFD_THRESHOLD).to(torch.uint8)


def slices_with_target(truth: Tensor) -> Tensor:
    """Return which slices of labels (S, H, W) hold any foreground: boolean (S,).

    Args:
        truth: integer labels.

    Example:
        >>> slices_with_target(torch.tensor([[[0, 0]], [[0, 2]]]))
        tensor([False,  True])
    """
    return (truth > 0).flatten(1).any(dim=1)
