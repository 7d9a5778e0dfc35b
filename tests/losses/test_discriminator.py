"""The discriminator of the holistic loss."""

import copy
import math

import pytest
import torch
from torch import nn

from medkd.losses._discriminator import Discriminator, SelfAttention


def sample(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_size_is_that_of_the_released_code():
    assert sum(p.numel() for p in Discriminator(2, 2).parameters()) == pytest.approx(3.17e6, rel=0.005)


def test_spectral_norm_is_one_in_all_but_the_last_convolution():
    network = Discriminator(2, 3)
    for _ in range(20):
        network(sample(1, 3, 64, 64))  # one step of the power iteration each
    convs = [m for m in network.layers if isinstance(m, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels) for c in convs] == [
        (3, 64),
        (64, 128),
        (128, 256),
        (256, 512),
        (512, 1),
    ]
    norms = [torch.linalg.matrix_norm(c.weight.detach().flatten(1), 2).item() for c in convs]
    assert norms[:4] == pytest.approx([1] * 4, rel=0.1) and abs(norms[4] - 1) > 0.1


def test_batches_share_a_pass_but_not_their_statistics():
    network = Discriminator(2, 2)
    s, t = sample(2, 2, 64, 64), 5 + 3 * sample(2, 2, 64, 64, seed=1)
    frozen = copy.deepcopy(network)
    for module in frozen.layers.modules():
        module.eval()  # no power iteration; the first norm stays in training mode
    torch.testing.assert_close(frozen(s, t), (*frozen(s), *frozen(t)), rtol=1e-4, atol=1e-5)


def test_attention_equals_the_loop():
    torch.manual_seed(0)
    attention, x = SelfAttention(8).double(), sample(2, 8, 2, 3).double()
    assert torch.equal(attention(x), x)  # gamma is 0 at first
    attention.gamma.data.fill_(0.7)
    q, k, v = (conv(x).flatten(2) for conv in (attention.query, attention.key, attention.value))
    expected = x.flatten(2).clone()
    for n in range(2):
        for i in range(6):
            exponentials = [math.exp((q[n, :, i] * k[n, :, j]).sum().item()) for j in range(6)]
            for j, e in enumerate(exponentials):
                expected[n, :, i] += 0.7 * e / sum(exponentials) * v[n, :, j]
    torch.testing.assert_close(attention(x).flatten(2), expected)


def test_attention_looks_at_16_cells_an_axis():
    torch.manual_seed(0)
    attention, x, swing = SelfAttention(8), sample(1, 8, 32, 16), 3 * sample(1, 8, 15, 16, seed=1)
    attention.gamma.data.fill_(0.7)
    other = x.clone()  # the same mean of every two rows; the first two rows, which ask, stay as they are
    other[:, :, 2::2] += swing
    other[:, :, 3::2] -= swing
    torch.testing.assert_close(attention(other)[:, :, :2], attention(x)[:, :, :2])
    assert (attention(other[:, :, :16])[:, :, :2] - attention(x[:, :, :16])[:, :, :2]).abs().max() > 1e-3
