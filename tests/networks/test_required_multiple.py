"""What a network needs of an image's edges is asked of the network."""

import pytest
import torch
from monai.networks.nets import UNet as MonaiUNet
from torch import nn

from medkd.networks import ResNetFCN, UNet, UNetPlusPlus, required_multiple


@pytest.mark.parametrize(
    ("network", "multiple"),
    [
        (UNet(2, 3, 2, width=2), 16),
        (UNet(3, 1, 2, width=2), 16),
        (UNetPlusPlus(2, 1, 2, width=2), 16),
        (ResNetFCN(2, 1, 2, width=2), 1),
        (nn.Conv2d(1, 2, 3, padding=1), 1),
        (MonaiUNet(2, 1, 2, channels=(2, 4, 8), strides=(2, 2)), 4),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_smallest_multiple_that_works(network, multiple):
    network.train()
    assert required_multiple(network) == multiple
    assert network.training


class OneSize(nn.Module):
    """A network with positions for one size."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)

    def forward(self, image):
        return self.conv(image + torch.zeros(1, 1, 40, 40))


def test_a_network_of_one_size_is_an_error_or_the_fallback():
    with pytest.raises(ValueError, match="OneSize: found no image size that it takes"):
        required_multiple(OneSize())
    assert required_multiple(OneSize(), fallback=1) == 1
