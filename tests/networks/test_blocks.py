"""The double convolution and the check of an image size."""

import pytest
import torch
from torch import nn

from medkd.networks._blocks import check_divisible, double_conv


@pytest.mark.parametrize("dims", [2, 3])
def test_double_conv_keeps_the_size_and_ends_with_relu(dims):
    torch.manual_seed(0)
    block = double_conv(dims, 3, 5)
    size = (4, 6, 8)[:dims]
    feature = block(torch.randn(2, 3, *size))
    assert feature.shape == (2, 5, *size)
    assert feature.min() == 0 and feature.max() > 0
    # two 3-convolutions with bias, two batch norms
    assert sum(p.numel() for p in block.parameters()) == 5 * (3 * 3**dims + 1) + 5 * (5 * 3**dims + 1) + 2 * 10


def test_every_edge_must_be_a_multiple():
    check_divisible(nn.Identity(), torch.zeros(1, 1, 16, 32), 16)
    with pytest.raises(ValueError, match=r"Identity: image size \(16, 24\) found, each edge must be a multiple of 16"):
        check_divisible(nn.Identity(), torch.zeros(1, 1, 16, 24), 16)
