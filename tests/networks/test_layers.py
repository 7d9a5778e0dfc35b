"""The list of sub-modules from which a user chooses taps."""

import torch
from monai.networks.nets import SwinUNETR
from torch import nn

from medkd.networks import Layer, UNet, layers


def test_layers_are_listed_in_the_order_of_the_forward():
    listed = layers(UNet(2, 3, 2, width=4), torch.zeros(1, 3, 32, 32))
    names = [layer.name for layer in listed]
    assert Layer("encoder.1", "Sequential", (1, 8, 16, 16)) in listed
    assert names.index("encoder.0") < names.index("bottleneck") < names.index("decoder.0") < names.index("head")


def test_depth_limits_the_levels_of_names():
    names = [layer.name for layer in layers(UNet(2, 3, 2, width=4), torch.zeros(1, 3, 32, 32), depth=1)]
    assert "bottleneck" in names and not any("." in name for name in names)


def test_a_layer_that_gives_no_tensor_has_no_shape():
    network = SwinUNETR(in_channels=1, out_channels=3, feature_size=12, spatial_dims=2)
    assert Layer("swinViT", "SwinTransformer", None) in layers(network, torch.zeros(1, 1, 64, 64), depth=1)


def test_a_layer_that_runs_twice_is_listed_once_with_its_first_shape():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.pool = nn.MaxPool2d(2)

        def forward(self, x):
            return self.pool(self.pool(x))

    assert layers(Twice(), torch.zeros(1, 1, 8, 8)) == [Layer("pool", "MaxPool2d", (1, 1, 4, 4))]


def test_the_network_stays_as_it_was():
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)).train()
    layers(network, torch.rand(2, 1, 4, 4))
    assert network.training and network[1].num_batches_tracked == 0
    assert not any(module._forward_hooks for module in network.modules())
