"""How logits become labels and which slices count: the whole volume, or as the HLFD paper's code did it."""

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
    """Raises ValueError for an unknown name."""
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, found {protocol!r}")


def logits_to_labels(logits: Tensor, protocol: str = "whole") -> Tensor:
    """Logits (K, *spatial) to labels (1, *spatial), uint8. Labels stay as they are: an inferer may have decided already.

    Raises:
        ValueError: for an unknown protocol, or "hlfd" with more than two classes (its threshold is for one foreground).
    """
    check_protocol(protocol)
    if logits.dtype == torch.uint8:
        return logits
    if protocol == "whole":
        # the same indices as argmax, which takes fifteen times as long along the first axis on a CPU
        return logits.max(dim=0, keepdim=True).indices.to(torch.uint8)
    if logits.shape[0] != 2:
        raise ValueError(f"protocol 'hlfd' is for one foreground class, found {logits.shape[0] - 1}")
    return (logits.float().softmax(dim=0)[1:] > _HLFD_THRESHOLD).to(torch.uint8)


def slices_with_target(truth: Tensor) -> Tensor:
    """Which slices of labels (S, H, W) hold any foreground: boolean (S,)."""
    return (truth > 0).flatten(1).any(dim=1)
