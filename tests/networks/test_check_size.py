"""Sizes of images that a network refuses, without a forward."""

import pytest
import torch

from medkd.networks import ResNetFCN, TransUNet, UNet, UNetPlusPlus, check_size


@pytest.mark.parametrize("network", [UNet(2, 1, 2, width=2), UNetPlusPlus(2, 1, 2, width=2), UNet(3, 2, 2, width=2)])
def test_edges_are_multiples(network):
    dims = next(network.parameters()).ndim - 2
    state, before = torch.get_rng_state(), [value.clone() for value in network.state_dict().values()]
    check_size(network, [32] * dims)
    with pytest.raises(ValueError, match="image size .*40.* found, each edge must be a multiple of 16"):
        check_size(network, [32] * (dims - 1) + [40])
    assert network.training and torch.equal(state, torch.get_rng_state())
    assert all(map(torch.equal, before, network.state_dict().values()))


def test_networks_of_any_size_and_those_that_need_data_pass():
    check_size(ResNetFCN(2, 1, 2, width=2), (33, 35))
    check_size(TransUNet(2, 1, 2, img_size=32, width=2, num_layers=1), (32, 32))

    class Reads(torch.nn.Conv2d):
        def forward(self, image):
            return super().forward(image) * float(image.sum())

    check_size(Reads(1, 2, 3), (5, 5))
