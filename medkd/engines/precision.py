"""Mixed precision of a training: which one a device has, and whether ``auto`` uses it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from medkd.parallel.group import is_main_process

__all__ = ["Amp", "autocast_arguments", "note_missing_units", "precision_name"]

_CPU_FLAGS = Path("/proc/cpuinfo")
_UNITS = {"avx512_bf16", "amx_bf16", "bf16"}  # x86 and, the last, ARM

Amp = bool | Literal["auto"]


def autocast_arguments(amp: Amp, device: torch.device, **arguments: Any) -> dict[str, Any]:
    """Return the arguments of `torch.autocast` for a training: float16 on CUDA, bfloat16 elsewhere.

    Args:
        amp: whether precision is mixed; ``auto``: on CUDA. On CPUs bfloat16 is the choice of the user: three seeds did not
            show that it ends where float32 does (benchmarks/README.md).
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


def note_missing_units(autocast: Mapping[str, Any]) -> None:
    """Print a note, in the main process, where bfloat16 is to run on a CPU that only imitates it (known on Linux alone)."""
    if autocast["device_type"] != "cpu" or not autocast["enabled"] or not is_main_process() or not _CPU_FLAGS.is_file():
        return
    if not _UNITS & set(_CPU_FLAGS.read_text(encoding="utf-8", errors="replace").split()):
        print(
            "note: --amp True: this CPU has no units for bfloat16, so a step takes longer than in float32; "
            "trainings of volumes ended in NaN on such a CPU",
            flush=True,
        )
