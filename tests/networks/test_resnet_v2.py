"""ResNetV2: published size, strides, standardised weights, padded skips."""

import pytest
import torch
from torch.nn import functional as F

from medkd.networks.resnet_v2 import ResNetV2, StdConv2d, StdConv3d


def build(dims=2, **options):
    torch.manual_seed(0)
    return ResNetV2(dims, 3, width=8, units=(1, 2, 1), **options).eval()


def test_number_of_parameters_is_the_published_one():
    with torch.device("meta"):
        assert sum(p.numel() for p in ResNetV2(2, 3).parameters()) == 11_894_848


@pytest.mark.parametrize("dims", [2, 3])
def test_strides_and_channels(dims):
    deepest, skips = build(dims)(torch.rand(1, 3, *(32, 48, 32)[:dims]))
    assert deepest.shape[1:] == (128, *(2, 3, 2)[:dims])
    assert [tuple(skip.shape[1:]) for skip in skips] == [
        (8, *(16, 24, 16)[:dims]),
        (32, *(8, 12, 8)[:dims]),
        (64, *(4, 6, 4)[:dims]),
    ]


def test_the_skip_at_stride_4_is_padded_with_zeros_at_its_end():
    network, stage = build(), []
    network.stages[0].register_forward_hook(lambda module, inputs, output: stage.append(output))
    _, skips = network(torch.rand(1, 3, 32, 32))
    assert stage[0].shape[2:] == (7, 7)  # pooling without padding
    torch.testing.assert_close(skips[1][..., :7, :7], stage[0])
    assert skips[1][..., 7, :].abs().sum() == 0 and skips[1][..., 7].abs().sum() == 0


@pytest.mark.parametrize(("kind", "conv"), [(StdConv2d, F.conv2d), (StdConv3d, F.conv3d)])
def test_weights_have_mean_0_and_variance_1_for_each_output_channel(kind, conv):
    torch.manual_seed(0)
    module = kind(3, 4, 3, bias=False)
    weight = module.weight.detach()
    rows = weight.flatten(1)
    rows = (rows - rows.mean(1, keepdim=True)) / (rows.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    image = torch.rand(1, 3, *[5] * (weight.ndim - 2))
    torch.testing.assert_close(module(image), conv(image, rows.reshape(weight.shape)))


def test_a_standardised_convolution_ignores_scale_and_offset_of_its_weights():
    conv = StdConv2d(3, 4, 3, bias=False)
    image = torch.rand(1, 3, 8, 8)
    before = conv(image)
    conv.weight.data = 5 * conv.weight.data + 3
    torch.testing.assert_close(conv(image), before, rtol=1e-2, atol=1e-3)  # up to the eps under the root


def test_a_unit_without_its_branch_is_its_shortcut():
    unit = build().stages[1][1]  # no projection: the size stays
    torch.nn.init.zeros_(unit.norm3.weight)
    x = torch.randn(1, 64, 4, 4)
    torch.testing.assert_close(unit(x), torch.relu(x))
