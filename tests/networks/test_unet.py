"""UNet: published size, default taps, image sizes, TorchScript."""

import pytest
import torch

from medkd.networks import FeatureTaps, UNet

from .shapes import assert_scriptable, assert_strides, count_parameters


def test_number_of_parameters_is_the_published_one():
    with torch.device("meta"):
        assert count_parameters(UNet(2, 3, 2)) == 31_043_586


@pytest.mark.parametrize("dims", [2, 3])
def test_default_taps_have_the_strides_of_their_stages(dims):
    network = UNet(dims, 1, 3, width=4, deep_supervision=True)
    assert_strides(network, encoder=(1, 2, 4, 8, 16), decoder=(8, 4, 2, 1), maps=3)


def test_penultimate_tap_feeds_the_classifier():
    network = UNet(2, 1, 2, width=4).eval()
    features = FeatureTaps(network, **network.default_taps())(torch.rand(1, 1, 32, 32))
    torch.testing.assert_close(network.head(features.decoder[-1]), features.logits)


def test_a_size_that_the_stride_does_not_divide_is_named():
    with pytest.raises(ValueError, match=r"UNet: image size \(40, 64\) found, .* multiple of 16"):
        UNet(2, 1, 2, width=4)(torch.rand(1, 1, 40, 64))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dims", [2, 3])
def test_it_becomes_torchscript_as_it_is(channels, dims, tmp_path):
    torch.manual_seed(0)
    assert_scriptable(UNet(dims, channels, 2, width=2), channels, tmp_path)
