"""What the caches of slices, pictures and volumes have in common: the folder of a teacher, its precision, its room."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .protocol import NetworkTeacher

__all__ = ["check_room", "fingerprint", "to_half"]

# The largest magnitude that is kept: half precision ends at 65504.
_LARGEST = 6e4


def fingerprint(teacher: NetworkTeacher, *settings: Any) -> str:
    """Return a checksum of all that decides the outputs: networks, weights, buffers, T's taps, channels.

    Args:
        teacher: whose networks run.
        *settings: what else decides the outputs, in front of the teacher's channels and taps.
    """
    content = (*settings, teacher.output_channels, teacher.taps.names)
    digest = hashlib.sha256(repr(content).encode())
    for network in teacher.networks:
        digest.update(repr(network).encode())
        for name, value in network.state_dict().items():
            digest.update(repr((name, value.dtype, value.shape)).encode())
            digest.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def to_half(maps: Tensor) -> np.ndarray:
    """Return maps in half precision; larger values than it holds are clipped."""
    return maps.float().clamp(-_LARGEST, _LARGEST).half().cpu().numpy()


def check_room(folder: Path, needed: float) -> None:
    """Check that the disk has room.

    Args:
        folder: where files are written; created if it is missing.
        needed: bytes.

    Raises:
        OSError: If it has less.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"{folder}: found {free / 2**30:.1f} GiB free, expected {needed / 2**30:.1f} GiB for the soft labels: "
            "use --soft_labels online"
        )
