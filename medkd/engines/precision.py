"""Mixed precision of a training: which one a device has, and whether ``auto`` uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch

__all__ = ["Amp", "autocast_arguments", "precision_name"]

Amp = bool | Literal["auto"]


def autocast_arguments(amp: Amp, device: torch.device, **arguments: Any) -> dict[str, Any]:
    """Return the arguments of `torch.autocast` for a training: float16 on CUDA, bfloat16 elsewhere.

    Args:
        amp: whether precision is mixed; ``auto``: on CUDA. On CPUs bfloat16 is the choice of the user, until three seeds have
            shown that it ends where float32 does (benchmarks/README.md).
        device: of the networks.
        **arguments: replace those returned.

    Raises:
        ValueError: for another word.

    Example:
        >>> precision_name(autocast_arguments(True, torch.device("cpu")))
        'bfloat16'
    """
    if amp not in (True, False, "auto"):
        raise ValueError(f"--amp: found {amp!r}, expected True, False or auto")
    is_cuda = device.type == "cuda"
    enabled = is_cuda if amp == "auto" else bool(amp)
    dtype = torch.float16 if is_cuda else torch.bfloat16
    return {"device_type": device.type, "enabled": enabled, "dtype": dtype, **arguments}


def precision_name(autocast: Mapping[str, Any]) -> str:
    """Return the precision in which networks run within `torch.autocast` of these arguments, such as ``float32``."""
    dtype = autocast["dtype"] if autocast["enabled"] else torch.float32
    return str(dtype).removeprefix("torch.")
