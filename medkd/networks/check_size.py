"""Whether a network takes images of a size, told before anything is read, computed or written."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.func import functional_call

from .features import input_spec

__all__ = ["check_size"]


def check_size(network: nn.Module, size: Sequence[int]) -> None:
    """Check that a network takes images of a size, by a forward of shapes alone: nothing is computed.

    Args:
        network: images (N, C, *spatial) to logits.
        size: edges of its images.

    Raises:
        ValueError: of the network, for a size that it refuses. What else goes wrong is left to the first image: not every
            network runs without data.

    Example:
        >>> from medkd.networks import UNet
        >>> check_size(UNet(2, 1, 2, width=2), (32, 40))
        Traceback (most recent call last):
        ValueError: UNet: image size (32, 40) found, each edge must be a multiple of 16
    """
    from monai.networks.utils import eval_mode  # imports all of MONAI, which a prediction does not need

    try:
        image = torch.zeros(1, input_spec(network)[1], *size, device="meta")
        values = {name: value.to("meta") for name, value in (*network.named_parameters(), *network.named_buffers())}
        with torch.no_grad(), eval_mode(network):
            functional_call(network, values, (image,))
    except ValueError:
        raise
    except Exception:
        return
