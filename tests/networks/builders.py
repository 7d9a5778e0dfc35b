"""Small networks for the tests."""

import torch

from medkd.networks import TransUNet

SMALL = {"width": 8, "units": (1, 2, 1), "hidden_size": 12, "mlp_dim": 20, "num_layers": 2, "num_heads": 3}


def small_transunet(dims=2, channels=3, size=32, **options):
    """Return a TransUNet of small sizes in eval mode, with weights of a fixed seed."""
    torch.manual_seed(0)
    return TransUNet(dims, channels, 2, img_size=size, **SMALL, **options).eval()
