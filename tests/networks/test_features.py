"""Taps: names, what they record and when, and that the network stays as it was."""

import pytest
import torch
from monai.networks.nets import BasicUNet
from torch import nn

from medkd.networks import Features, FeatureTaps, UNet


def test_features_equal_a_forward_by_hand():
    network = nn.Sequential(nn.Conv2d(1, 3, 1), nn.Conv2d(3, 2, 1))
    image = torch.rand(2, 1, 8, 8)
    features = FeatureTaps(network, encoder=["0"])(image)
    torch.testing.assert_close(features.encoder[0], network[0](image))
    torch.testing.assert_close(features.logits, network(image))
    assert features.decoder == () and features.maps == ()


def test_unknown_name_gives_near_and_valid_names():
    with pytest.raises(
        ValueError, match=r"UNet has no sub-module 'botleneck': did you mean bottleneck.*valid names: .*encoder.0"
    ):
        FeatureTaps(UNet(2, 1, 2, width=4), encoder=["botleneck"])


def test_a_tap_that_gives_no_tensor_is_named():
    class Pair(nn.Module):
        def forward(self, x):
            return x, x

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.pair = Pair()
            self.head = nn.Conv2d(1, 2, 1)

        def forward(self, x):
            return self.head(self.pair(x)[0])

    with pytest.raises(ValueError, match="tap 'pair' of Net gives tuple, expected one tensor"):
        FeatureTaps(Net(), encoder=["pair"])(torch.rand(1, 1, 4, 4))


def test_a_tap_that_is_never_run_is_named():
    network = nn.Sequential(nn.Conv2d(1, 2, 1))
    network.extra = nn.Identity()
    network.forward = lambda x: network[0](x)
    with pytest.raises(ValueError, match="tap 'extra' of Sequential is not run by its forward"):
        FeatureTaps(network, encoder=["extra"])(torch.rand(1, 1, 4, 4))


def test_a_network_that_returns_no_tensor_is_named():
    class Pair(nn.Module):
        def forward(self, x):
            return [x]

    with pytest.raises(ValueError, match="Pair returns a list, expected one tensor of logits: wrap it"):
        FeatureTaps(Pair())(torch.rand(1, 1, 4, 4))


def test_any_monai_network_can_be_tapped():
    network = BasicUNet(spatial_dims=3, in_channels=2, out_channels=3, features=(4, 4, 8, 8, 8, 4))
    taps = FeatureTaps(network, encoder=["conv_0", "down_1", "down_4"], decoder=["upcat_1"])
    assert taps.channels == Features(3, (4, 4, 8), (4,), ())
    assert taps.spatial_dims == 3


def test_nothing_is_kept_outside_a_call():
    network = UNet(2, 1, 2, width=4)
    taps = FeatureTaps(network, **network.default_taps())
    network(torch.rand(1, 1, 32, 32))
    assert taps._recorded is None
    taps(torch.rand(1, 1, 32, 32))
    assert taps._recorded is None


def test_dry_forward_leaves_mode_and_statistics_untouched():
    network = UNet(2, 1, 2, width=4).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert FeatureTaps(network, encoder=["bottleneck"]).channels.encoder == (64,)
    assert network.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_close_removes_the_hooks():
    network = UNet(2, 1, 2, width=4)
    taps = FeatureTaps(network, **network.default_taps())
    assert any(module._forward_hooks for module in network.modules())
    taps.close()
    assert not any(module._forward_hooks for module in network.modules())


def test_state_dict_of_the_network_knows_no_tap():
    network = UNet(2, 1, 2, width=4)
    names = set(network.state_dict())
    FeatureTaps(network, **network.default_taps())
    assert set(network.state_dict()) == names


@pytest.mark.slow
def test_compiles_without_graph_break():
    network = UNet(2, 1, 2, width=4)
    taps = FeatureTaps(network, **network.default_taps()).eval()
    image = torch.rand(1, 1, 16, 16)
    compiled = torch.compile(taps, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(image).encoder[-1], taps(image).encoder[-1])
