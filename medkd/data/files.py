"""Checkpoints that are either whole or not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from medkd.formats import write_atomically

__all__ = ["save_atomically", "write_atomically"]


def save_atomically(state: Any, path: str | Path) -> None:
    """`torch.save`, whole or not at all.

    Raises:
        OSError: when it cannot be written.
    """
    try:
        write_atomically(path, lambda temporary: torch.save(state, temporary))
    except RuntimeError as error:  # all that PyTorch says of a full disk
        reason = str(error).splitlines()[0][:120]
        raise OSError(f"{path}: cannot be written, is the disk full? ({reason})") from error
