"""Checkpoints that are either whole or not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from medkd.formats import write_atomically

__all__ = ["save_atomically", "write_atomically"]


def save_atomically(state: Any, path: str | Path) -> None:
    """`torch.save`, whole or not at all."""
    write_atomically(path, lambda temporary: torch.save(state, temporary))
