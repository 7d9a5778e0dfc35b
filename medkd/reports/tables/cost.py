"""What a trained network costs: parameters, multiply-adds and milliseconds, measured on the machine that reports."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from medkd.runs import RunFolder, load_parser
from medkd.startup import import_monai

__all__ = ["Cost", "cost_of_run"]


class Cost(NamedTuple):
    """Cost of one slice, or picture, of the network's input size; in 3-D that of a window divided by its slices."""

    parameters: int
    macs: int
    """Multiply-adds of convolutions and matrix products: half of what torch's FlopCounterMode counts."""
    milliseconds: float
    size: tuple[int, ...]
    """Rows and columns, or slices, rows and columns, of the input."""


def cost_of_run(folder: Path, device: str = "cpu", trust_record: bool = False) -> Cost:
    """Build the network of a run by its ``config.yaml`` and measure it.

    Args:
        folder: output folder of the run.
        device: on which the time is measured.
        trust_record: see `medkd.runs.load_parser`.

    Raises:
        FileNotFoundError: if the run left no ``config.yaml``.
        ValueError: see `medkd.runs.load_parser`.
    """
    import_monai()  # tables of runs that cannot be measured, and the check of a plan, need no torch
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from medkd.metrics import milliseconds_per_slice
    from medkd.networks import input_spec

    parser = load_parser(RunFolder(folder), trust_record)
    network = parser.get_parsed_content("network_def").eval()
    size = tuple(parser.get_parsed_content("image_size"))
    image = torch.zeros(1, input_spec(network)[1], *size)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(image)
    slices = size[0] if len(size) == 3 else 1
    return Cost(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        macs=counter.get_total_flops() // 2 // slices,
        milliseconds=milliseconds_per_slice(network, image.shape[1:], device) / slices,
        size=size,
    )
