"""UNet++: published sizes, default taps, intermediate columns, image sizes."""

import pytest
import torch

from medkd.networks import FeatureTaps, UNetPlusPlus

from .shapes import assert_strides, count_parameters


@pytest.mark.parametrize(
    ("options", "count"),
    [({}, 36_171_458), ({"deep_supervision": True}, 36_171_848), ({"up": "bilinear"}, 36_628_546)],
)
def test_number_of_parameters_is_the_published_one(options, count):
    with torch.device("meta"):
        assert count_parameters(UNetPlusPlus(2, 1, 2, **options)) == count


@pytest.mark.parametrize("dims", [2, 3])
def test_default_taps_have_the_strides_of_their_stages(dims):
    network = UNetPlusPlus(dims, 1, 3, width=4, deep_supervision=True)
    assert_strides(network, encoder=(1, 2, 4, 8, 16), decoder=(8, 4, 2, 1), maps=3)


def test_penultimate_tap_feeds_the_classifier():
    network = UNetPlusPlus(2, 1, 2, width=4).eval()
    features = FeatureTaps(network, **network.default_taps())(torch.rand(1, 1, 32, 32))
    torch.testing.assert_close(network.head(features.decoder[-1]), features.logits)


def test_maps_are_the_logits_of_the_intermediate_columns():
    network = UNetPlusPlus(2, 1, 2, width=4, deep_supervision=True).eval()
    names = {"decoder": ("nodes.x01", "nodes.x02", "nodes.x03"), "maps": network.default_taps()["maps"]}
    features = FeatureTaps(network, **names)(torch.rand(1, 1, 32, 32))
    for node, head, logits in zip(features.decoder, network.heads.values(), features.maps, strict=True):
        torch.testing.assert_close(head(node), logits)


def test_a_size_that_the_stride_does_not_divide_is_named():
    with pytest.raises(ValueError, match=r"UNetPlusPlus: image size \(40, 64\) found, .* multiple of 16"):
        UNetPlusPlus(2, 1, 2, width=4)(torch.rand(1, 1, 40, 64))


def test_unknown_upsampling_is_named():
    with pytest.raises(ValueError, match="up must be 'deconv' or 'bilinear', found 'nearest'"):
        UNetPlusPlus(2, 1, 2, up="nearest")
