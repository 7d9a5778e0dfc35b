"""The words of taps: stages by index and by resolution, concatenations, pairs."""

import pytest
import torch
from torch.nn import functional as F

from medkd.losses.taps import equal_stages, tap_of, tap_pair
from medkd.networks import Features


def features(*strides, decoder=(), size=(32, 48)):
    """Return random maps at the strides; channels count up from 1."""
    generator = torch.Generator().manual_seed(0)
    maps = [
        torch.randn(2, i + 1, *(edge // stride for edge in size), generator=generator)
        for i, stride in enumerate((*strides, *decoder))
    ]
    encoder, rest = maps[: len(strides)], maps[len(strides) :]
    return Features(torch.randn(2, 2, *size, generator=generator), tuple(encoder), tuple(rest))


UNET = features(1, 2, 4, 8, 16, decoder=(8, 4, 2, 1))
RESNET = features(2, 4, 8, 16, 32, size=(64, 96))


@pytest.mark.parametrize(
    ("network", "tap", "channels"),
    [
        (UNET, "encoder/8", 4),
        (RESNET, "encoder/8", 3),
        (RESNET, "encoder/1", 1),  # the nearest stride
        (features(1, 4), "encoder/2", 1),  # of two that are equally near the finer
        (UNET, "decoder/4", 7),
        (RESNET, "decoder/4", 2),  # no decoder: its encoder
        (UNET, "encoder.-1", 5),
        (UNET, "penultimate", 9),
        (RESNET, "penultimate", 5),
        (UNET, "bottleneck", 5),
    ],
)
def test_stages_are_found_by_resolution_and_by_index(network, tap, channels):
    assert tap_of(network, tap).shape[1] == channels


def test_penultimate_is_pooled_where_it_is_finer():
    torch.testing.assert_close(tap_of(UNET, "penultimate/4"), F.avg_pool2d(UNET.decoder[-1], 4))
    assert tap_of(RESNET, "penultimate/4") is RESNET.encoder[-1]
    deep = Features(torch.zeros(1, 2, 8, 8, 2), decoder=(torch.ones(1, 3, 8, 8, 2),))
    assert tap_of(deep, "penultimate/4").shape == (1, 3, 2, 2, 1)


def test_a_range_is_concatenated_at_the_smallest_size():
    joined = tap_of(UNET, "cat(encoder.0:-1)")
    assert joined.shape == (2, 1 + 2 + 3 + 4, 4, 6)
    torch.testing.assert_close(joined, tap_of(UNET, "cat(encoder.0, encoder.1, encoder.2, encoder.3)"))
    assert tap_of(UNET, "cat(encoder.0:-1, bottleneck)").shape == (2, 15, 2, 3)


def test_an_arrow_takes_another_map_of_the_teacher():
    student, teacher = tap_pair(RESNET, UNET, "encoder.1 -> bottleneck")
    assert student is RESNET.encoder[1] and teacher is UNET.encoder[-1]
    assert tap_pair(RESNET, UNET, "logits") == (RESNET.logits, UNET.logits)
    assert tap_pair(RESNET, None, "encoder.1 -> bottleneck")[1] is None


@pytest.mark.parametrize(
    ("tap", "message"),
    [
        ("encoder.5", "tap 'encoder.5': the network has 5 encoder taps"),
        ("encoder.-6", "tap 'encoder.-6': the network has 5 encoder taps"),
        ("decoder.0", "tap 'decoder.0': the network has 0 decoder taps"),
        ("encoder/0", "tap 'encoder/0': expected a fraction"),
        ("cat(encoder.4:-1)", "tap 'encoder.4:-1': the network has 5 encoder taps"),
        ("bottlneck", "unknown tap 'bottlneck', expected one of: logits, features"),
    ],
)
def test_an_unknown_tap_is_named(tap, message):
    with pytest.raises(ValueError, match=message):
        tap_of(RESNET, tap)


def test_equal_stages_have_the_same_stride_at_any_image_size():
    assert equal_stages(UNET, RESNET) == [(1, 0), (2, 1), (3, 2), (4, 3)]
    assert equal_stages(RESNET, UNET) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert equal_stages(UNET, features(4, size=(8, 12))) == [(2, 0)]
    assert equal_stages(features(1, 2), features(4, 8)) == []
    # two stages of one stride: in their order, each once
    assert equal_stages(features(1, 2, 2, 4), features(2, 2, 2)) == [(1, 0), (2, 1)]
    assert equal_stages(features(2, 2, 2), features(1, 2, 2, 4)) == [(0, 1), (1, 2)]
