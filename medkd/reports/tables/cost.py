"""What a trained network costs: parameters, multiply-adds, milliseconds; measured side by side on the machine that reports."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from medkd.metrics import milliseconds_per_slice
from medkd.networks import input_spec
from medkd.runs.folder import RunFolder

__all__ = ["Cost", "cost_of_run"]


class Cost(NamedTuple):
    """Of one slice, or picture, of the network's input size; in 3-D a window's divided by its slices."""

    parameters: int
    macs: int
    """Multiply-adds of convolutions and matrix products, half of what torch's FlopCounterMode counts."""
    milliseconds: float
    size: tuple[int, ...]
    """Rows, columns (or slices, rows, columns) of the input."""


def cost_of_run(folder: Path, device: str = "cpu") -> Cost:
    """Builds the network of a run anew from its ``config.yaml``, and measures it.

    Raises:
        FileNotFoundError: without that record.
    """
    parser = RunFolder(folder).load_parser()
    network = parser.get_parsed_content("network_def").eval()
    size = tuple(parser.get_parsed_content("image_size"))
    image = torch.zeros(1, input_spec(network)[1], *size)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(image)
    slices = size[0] if len(size) == 3 else 1
    return Cost(
        sum(parameter.numel() for parameter in network.parameters()),
        counter.get_total_flops() // 2 // slices,
        milliseconds_per_slice(network, image.shape[1:], device) / slices,
        size,
    )
