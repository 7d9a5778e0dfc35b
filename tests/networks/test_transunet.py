"""TransUNet: published sizes, taps, other image sizes."""

import pytest
import torch

from medkd.networks import FeatureTaps, TransUNet

from .builders import small_transunet


@pytest.mark.parametrize(
    ("classes", "size", "parameters"), [(2, 224, 105_276_066), (1, 224, 105_275_921), (9, 224, 105_277_081)]
)
def test_published_sizes(classes, size, parameters):
    with torch.device("meta"):
        assert sum(p.numel() for p in TransUNet(2, 3, classes, img_size=size).parameters()) == parameters


def test_parts_have_their_published_sizes():
    with torch.device("meta"):
        network = TransUNet(2, 1, 2)
    count = {name: sum(p.numel() for p in getattr(network, name).parameters()) for name in ("resnet", "layers")}
    assert count == {"resnet": 11_894_848, "layers": 12 * 7_087_872}


@pytest.mark.parametrize("dims", [2, 3])
def test_taps_have_the_strides_of_a_unet(dims):
    network = small_transunet(dims, deep_supervision=True)
    features = FeatureTaps(network, **network.default_taps())(torch.rand(1, 3, *[32] * dims))
    assert [32 // f.shape[-1] for f in features.encoder] == [2, 4, 8, 16]
    assert [f.shape[1] for f in features.encoder] == [8, 32, 64, 12]
    assert [(f.shape[1], 32 // f.shape[-1]) for f in features.decoder] == [(32, 8), (16, 4), (8, 2), (2, 1)]
    assert [m.shape[1] for m in features.maps] == [2, 2, 2]


def test_any_multiple_of_16_and_positions_are_interpolated():
    network = small_transunet()
    torch.nn.init.normal_(network.positions)
    assert network(torch.rand(1, 3, 48, 80)).shape == (1, 2, 48, 80)
    table = network._positions((4, 6)).reshape(4, 6, -1)
    expected = torch.nn.functional.interpolate(
        network.positions.reshape(1, 2, 2, 12).permute(0, 3, 1, 2), size=(4, 6), mode="bilinear"
    )
    torch.testing.assert_close(table, expected[0].permute(1, 2, 0))
    assert network._positions((2, 2)) is network.positions
    with pytest.raises(ValueError, match=r"TransUNet: image size \(40, 32\) found, each edge must be a multiple of 16"):
        network(torch.rand(1, 3, 40, 32))
    with pytest.raises(ValueError, match="TransUNet: img_size 100 found, expected 2 multiples of 16"):
        TransUNet(2, 3, 2, img_size=100)


def test_positions_and_every_skip_reach_the_logits():
    network, image = small_transunet(), torch.rand(1, 3, 32, 32)
    torch.nn.init.normal_(network.positions)
    before = network(image)
    for skip in network.resnet.skips:
        handle = skip.register_forward_hook(lambda module, inputs, output: output * 0)
        assert not torch.allclose(network(image), before)
        handle.remove()
    torch.nn.init.zeros_(network.positions)
    assert not torch.allclose(network(image), before)


def test_one_channel_is_repeated():
    network = small_transunet(channels=1)
    gray = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(network(gray), small_transunet()(gray.expand(-1, 3, -1, -1)))
