"""ResNetFCN: published size, default taps, any image size, gradients of the shortcuts, TorchScript."""

import pytest
import torch

from medkd.networks import ResNetFCN

from .shapes import assert_scriptable, assert_strides, count_parameters


@pytest.mark.parametrize("channels", [1, 3])  # one channel is repeated to three
def test_number_of_parameters_is_the_published_one(channels):
    with torch.device("meta"):
        assert count_parameters(ResNetFCN(2, channels, 2)) == 11_177_538


@pytest.mark.parametrize("dims", [2, 3])
def test_default_taps_have_the_strides_of_their_stages(dims):
    assert_strides(ResNetFCN(dims, 1, 3, width=4), encoder=(2, 4, 8, 16, 32), decoder=(), maps=0)


def test_it_takes_any_size_and_passes_gradients_through_its_shortcuts():
    network = ResNetFCN(2, 1, 2, width=4)
    image = torch.rand(2, 1, 45, 51, requires_grad=True)
    logits = network(image)
    assert logits.shape == (2, 2, 45, 51)
    logits.square().mean().backward()
    shortcut = network.encoder.layer2[0].downsample[0].weight
    assert shortcut.grad.abs().sum() > 0
    assert image.grad.abs().sum() > 0


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dims", [2, 3])
def test_it_becomes_torchscript_as_it_is(channels, dims, tmp_path):
    torch.manual_seed(0)
    assert_scriptable(ResNetFCN(dims, channels, 2, width=2), channels, tmp_path)
