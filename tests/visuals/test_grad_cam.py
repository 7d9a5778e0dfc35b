"""Grad-CAM against its formula, in 2-D and 3-D; the network stays as it is."""

import pytest
import torch
from torch import nn

from medkd.networks import ResNetFCN, UNet, UNetPlusPlus, move_for_inference
from medkd.visuals import first_and_last, grad_cam, mid_target_slice


@pytest.mark.parametrize("dims", [2, 3])
def test_the_map_is_the_formulas(dims):
    """Logits are a 1x1 convolution of the layer's maps, so the mean gradient of a channel is its weight."""
    torch.manual_seed(0)
    convolution = nn.Conv2d if dims == 2 else nn.Conv3d
    network = nn.Sequential(convolution(1, 3, 3, padding=1), nn.ReLU(inplace=True), convolution(3, 2, 1)).eval()
    image = torch.rand(1, *(8,) * dims)
    result = grad_cam(network, image, ["0"], 1)["0"]
    with torch.no_grad():
        before = network[0](image[None])
    # the gradient of the first convolution's output: the weight where ReLU lets it through, averaged over positions
    weight = network[2].weight[1].flatten() * (before[0] > 0).flatten(1).float().mean(dim=1)
    expected = torch.relu((weight.reshape(-1, *(1,) * dims) * before[0]).sum(dim=0))
    torch.testing.assert_close(result, (expected / expected.max()).detach(), atol=1e-5, rtol=1e-4)


def test_a_narrow_resnet_in_the_layout_of_predictions():
    """Gradients of its weights would crash the process there: https://github.com/uxlfoundation/oneDNN/issues/6035."""
    torch.manual_seed(0)
    network, image = ResNetFCN(2, 1, 2, width=8).eval(), torch.rand(1, 256, 256)
    expected = grad_cam(network, image, ["encoder.layer4"])
    actual = grad_cam(move_for_inference(network, "cpu"), image, ["encoder.layer4"])
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-4)


def test_the_network_stays_as_it_is():
    network = UNet(2, 1, 2, width=2).train().requires_grad_(False)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    grad_cam(network, torch.rand(1, 32, 32), first_and_last(network))
    assert network.training and not any(p.requires_grad or p.grad is not None for p in network.parameters())
    assert not any(m._forward_hooks or m._backward_hooks for m in network.modules())
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (ResNetFCN(2, 1, 2, width=4), (1, 48, 64)),
        (UNetPlusPlus(3, 1, 2, width=2, deep_supervision=True), (1, 16, 32, 32)),
    ],
)
def test_first_and_last_layers_of_our_networks(network, shape):
    layers = first_and_last(network)
    maps = grad_cam(network, torch.rand(shape), layers)
    assert list(maps) == list(layers) and layers[0] != layers[1]
    for map_ in maps.values():
        assert map_.shape == shape[1:] and map_.min() >= 0 and map_.max() <= 1


def test_bad_layers_and_classes_are_refused():
    network = UNet(2, 1, 2, width=2)
    with pytest.raises(ValueError, match="no sub-module 'nowhere'"):
        grad_cam(network, torch.rand(1, 32, 32), ["nowhere"])
    with pytest.raises(ValueError, match="class_index: found 2, expected 0 .background. to 1"):
        grad_cam(network, torch.rand(1, 32, 32), ["bottleneck"], 2)
    flat = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(2), nn.Unflatten(2, (8, 8)))
    with pytest.raises(ValueError, match="layer '1' returns .* expected a map"):
        grad_cam(flat, torch.rand(1, 8, 8), ["1"])


def test_the_middle_slice_with_a_target():
    label = torch.zeros(1, 16, 32, 32, dtype=torch.long)
    label[0, 4:11, 8:16, 8:16] = 1
    assert mid_target_slice(label[0]) == 7 and mid_target_slice(label[0, 7]) is None
