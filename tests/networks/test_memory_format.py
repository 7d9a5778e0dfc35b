"""Layouts: values stay, whatever the layout, and networks with parameters of several ranks are taken."""

import pytest
import torch
from torch import nn

from medkd.networks import ResNetFCN, TransUNet, UNet, UNetPlusPlus, move_for_inference
from medkd.networks.memory_format import choose_memory_format, store_channels_last, store_in_format, to_channels_last

NETWORKS = {
    "UNet": lambda: UNet(2, 1, 2, width=4),
    "UNet 3-D": lambda: UNet(3, 1, 2, width=4),
    "UNet++": lambda: UNetPlusPlus(2, 3, 2, width=4),
    "ResNetFCN": lambda: ResNetFCN(2, 1, 2, width=4),
    "TransUNet": lambda: TransUNet(2, 3, 2, img_size=32, width=16, num_layers=1),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_answer_alike_in_both_layouts(name):
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    channels, dims = (3, 2) if name in ("UNet++", "TransUNet") else (1, 3 if "3-D" in name else 2)
    image = torch.rand(2, channels, *[32] * dims)
    with torch.no_grad():
        expected = network(image)
        actual = store_channels_last(network)(to_channels_last(image))
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_parameters_of_another_rank_are_taken():
    network = nn.Sequential(nn.Conv3d(2, 3, 3), nn.Linear(2, 2))
    network.register_parameter("positions", nn.Parameter(torch.rand(1, 2, 3, 4)))  # Module.to refuses these four axes
    weights = network[0].weight
    store_channels_last(network)
    assert network[0].weight is weights and weights.stride(1) == 1  # an optimizer still holds it


def test_words():
    assert choose_memory_format("auto", "cpu") == "channels_last"
    assert choose_memory_format("auto", "cuda:1") == choose_memory_format("contiguous", "cpu") == "contiguous"
    with pytest.raises(ValueError, match="memory_format: found 'last', expected auto"):
        choose_memory_format("last", "cpu")


@pytest.mark.parametrize(
    ("network", "name"),
    [
        (ResNetFCN(2, 1, 2, width=8), "encoder.layer2.0.downsample.0"),
        (nn.Conv2d(15, 2, kernel_size=1, stride=(1, 2)), "Conv2d"),
        (nn.Sequential(nn.ConvTranspose2d(32, 8, kernel_size=1, stride=2)), "0"),
    ],
)
def test_a_convolution_that_crashes_with_channels_last_on_a_cpu(network, name):
    """https://github.com/uxlfoundation/oneDNN/issues/6035: its gradient writes outside its memory."""
    assert choose_memory_format("auto", "cpu", network) == "contiguous"
    assert choose_memory_format("channels_last", "cuda", network) == "channels_last"
    assert store_in_format(network, "auto", "cpu") is network
    assert all(parameter.is_contiguous() for parameter in network.parameters())
    with pytest.raises(ValueError, match=f"found channels_last on a CPU, .* convolution {name} can crash"):
        choose_memory_format("channels_last", "cpu", network)


@pytest.mark.parametrize(
    "network",
    [
        ResNetFCN(2, 1, 2, width=16),
        ResNetFCN(3, 1, 2, width=4),
        UNet(2, 3, 2, width=4),
        nn.Conv2d(8, 16, kernel_size=1),
        nn.Conv2d(8, 16, kernel_size=3, stride=2),
        nn.Conv2d(8, 8, kernel_size=1, stride=2, groups=8),
        nn.ConvTranspose2d(8, 16, kernel_size=1, stride=2),
    ],
)
def test_other_networks_get_channels_last_on_a_cpu(network):
    assert choose_memory_format("auto", "cpu", network) == "channels_last"


@pytest.mark.parametrize("network", [ResNetFCN(2, 1, 2, width=4), UNet(2, 3, 2, width=4), UNet(3, 1, 2, width=4)])
def test_a_network_moved_for_inference_answers_alike(network):
    network.eval()
    dims = 3 if any(parameter.ndim == 5 for parameter in network.parameters()) else 2
    image = torch.rand(2, network.in_channels, *([32] * dims))
    with torch.inference_mode():
        expected, state = network(image), {name: tensor.clone() for name, tensor in network.state_dict().items()}
        moved = move_for_inference(network, "cpu")
        torch.testing.assert_close(moved(image), expected, atol=1e-5, rtol=1e-5)
    assert all(torch.equal(tensor, state[name]) for name, tensor in moved.state_dict().items())
    last = torch.channels_last if dims == 2 else torch.channels_last_3d
    layouts = [p.is_contiguous(memory_format=last) for p in moved.parameters() if p.ndim == dims + 2]
    assert layouts and all(layouts)
