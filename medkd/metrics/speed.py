"""Measure the time of a network for one slice."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

import torch
from torch import nn

__all__ = ["milliseconds_per_slice"]


def milliseconds_per_slice(network: nn.Module, shape: Sequence[int], device: str = "cpu", repeats: int = 10) -> float:
    """Measure the median milliseconds of one forward pass in eval mode, after two passes of warm-up.

    Args:
        network: a network; it is moved to the device and set to eval mode.
        shape: shape of one image, (C, *spatial).
        device: a device. The clock is read after a GPU has finished.
        repeats: number of passes that are measured.

    Example:
        >>> milliseconds_per_slice(nn.Conv2d(1, 2, 1), (1, 4, 4), repeats=2) > 0
        True
    """
    network = network.to(device).eval()
    image = torch.zeros(1, *shape, device=device)
    times = []
    with torch.no_grad():
        for _ in range(repeats + 2):
            start = time.perf_counter()
            network(image)
            if image.is_cuda:
                torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
    return 1000.0 * median(times[2:])
