"""MONAI's networks as `TappedNetwork`: names, heads, frozen, several outputs, tokens."""

import copy

import pytest
import torch
from monai.networks.nets import UNETR, BasicUNetPlusPlus, SwinUNETR
from torch import nn

from medkd.networks import FeatureTaps, TappedNetwork, default_taps

STAGES = ["encoder1", "encoder2", "encoder3", "encoder4", "encoder10"]
RISING = ["decoder4", "decoder3", "decoder2", "decoder1"]


def swin(**options):
    torch.manual_seed(0)
    network = SwinUNETR(in_channels=1, out_channels=3, feature_size=12, spatial_dims=2)
    return TappedNetwork(network, STAGES, RISING, **options)


def test_it_knows_its_taps_and_changes_no_logits():
    network = swin().eval()
    image = torch.rand(1, 1, 64, 64)
    features = FeatureTaps(network, **network.default_taps())(image)
    torch.testing.assert_close(features.logits, network.network(image))
    assert [64 // f.shape[-1] for f in features.encoder] == [1, 2, 4, 8, 32]
    assert [f.shape[1] for f in features.decoder] == [48, 24, 12, 12]
    assert features.maps == ()


def test_heads_learn_by_deep_supervision():
    network = swin(deep_supervision=True)
    taps = FeatureTaps(network, **network.default_taps())
    features = taps(torch.rand(1, 1, 64, 64))
    assert [tuple(m.shape) for m in features.maps] == [(1, 3, 8, 8), (1, 3, 16, 16), (1, 3, 32, 32)]
    sum(m.square().mean() for m in features.maps).backward()
    assert all(p.grad.abs().sum() > 0 for p in network.heads.parameters())
    assert network.network.encoder10.layer.conv1.conv.weight.grad.abs().sum() > 0


def test_a_frozen_network_keeps_weights_and_statistics():
    network = swin(deep_supervision=True, frozen=True).train()
    assert {name.split(".")[0] for name, p in network.named_parameters() if p.requires_grad} == {"heads"}
    assert network.heads.training and not any(m.training for m in network.network.modules())


def test_of_several_outputs_the_last_is_the_logits():
    inner = BasicUNetPlusPlus(2, 1, 2, features=(4,) * 6, deep_supervision=True).eval()
    network = TappedNetwork(inner, ["conv_0_0", "conv_1_0"])
    image = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(network(image), inner(image)[-1])


@pytest.mark.parametrize("size", [(32, 48), (32, 32, 32)])
def test_tokens_are_laid_out_as_the_image(size):
    inner = UNETR(1, 2, size, 4, hidden_size=24, mlp_dim=24, num_heads=2, spatial_dims=len(size)).eval()
    network = TappedNetwork(inner, ["encoder1", "vit.norm"])
    taps = FeatureTaps(network, **network.default_taps())
    assert taps.channels.encoder == (4, 24)
    image = torch.rand(2, 1, *size)
    recorded = []
    inner.vit.norm.register_forward_hook(lambda m, i, o: recorded.append(o))
    grid = taps(image).encoder[1]
    assert grid.shape == (2, 24, *(edge // 16 for edge in size))
    torch.testing.assert_close(grid.flatten(2).transpose(1, 2), recorded[0])


def test_tokens_that_are_no_grid_are_refused():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.tokens = nn.Conv2d(1, 2, 1), nn.Identity()

        def forward(self, x):
            self.tokens(torch.zeros(x.shape[0], 5, 3))
            return self.conv(x)

    with pytest.raises(ValueError, match=r"tokens \(1, 5, 3\) are no grid of patches of an image of \(32, 32\)"):
        FeatureTaps(Odd(), encoder=["tokens"])(torch.zeros(1, 1, 32, 32))


def test_names_as_they_are_listed_are_understood():
    inner = swin().network
    listed = TappedNetwork(inner, [f"network.{name}" for name in STAGES], RISING)
    assert listed.default_taps() == TappedNetwork(inner, STAGES, RISING).default_taps()


def test_mistakes_are_named():
    inner = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, spatial_dims=2)
    with pytest.raises(ValueError, match=r"has no sub-module 'network.encoder9': did you mean network.encoder"):
        TappedNetwork(inner, ["encoder9"])
    with pytest.raises(
        ValueError, match="SwinUNETR names no stages to tap: make it the network of a medkd.networks.Tapped"
    ):
        default_taps(inner)
    with pytest.raises(ValueError, match=r"deep supervision needs two decoder stages, found \['decoder1'\]"):
        TappedNetwork(inner, STAGES, ["decoder1"], deep_supervision=True)


def test_a_copy_has_heads_apart_from_the_original():
    network = swin(deep_supervision=True)
    twin = copy.deepcopy(network)
    recorded = []
    for head in network.heads:
        head.register_forward_hook(lambda m, i, o: recorded.append("first"))
    twin(torch.rand(1, 1, 64, 64))
    assert recorded == []
