"""Feature maps in pictures: the right map in the right panel, on its own scale."""

import numpy as np
import pytest
import torch

from medkd.networks import Features
from medkd.visuals import channels_figure, importance_figure


def picture(axis):
    return np.asarray(axis.images[0].get_array()).squeeze()


def features(*sizes, dims=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Features(
        torch.zeros(2, 2, *[16] * dims),
        tuple(torch.randn(2, 3, *[size] * dims, generator=generator) for size in sizes),
    )


def label(*shape):
    label = torch.zeros(1, *shape, dtype=torch.long)
    label[..., 4:9, 3:8] = 1
    return label


@pytest.mark.parametrize("p", [2, 4])
def test_importance_is_the_mean_power_of_the_chosen_image(p):
    teacher, student = features(16, 8), features(16, 8, 4, seed=1)
    figure = importance_figure(
        {"T": teacher, "S": student}, torch.randn(1, 16, 16), label(16, 16), "case_3", p, index=1
    )
    assert "case_3" in figure.get_suptitle()
    rows = [figure.axes[:4], figure.axes[4:]]
    for axes, (name, network) in zip(rows, {"T": teacher, "S": student}.items(), strict=True):
        assert axes[0].get_ylabel() == name
        for axis, tap in zip(axes[1:], network.encoder, strict=False):
            expected = tap[1].abs().pow(p).mean(dim=0)
            np.testing.assert_allclose(picture(axis), expected / expected.max(), atol=1e-5)
            assert axis.get_xlabel() == f"3 channels, {tap.shape[2]} x {tap.shape[3]}"


def test_of_a_volume_the_fullest_slice_is_shown_of_each_map():
    network = features(16, 8, dims=3)
    truth = label(16, 16, 16)
    truth[:, 10, :12] = 1
    figure = importance_figure({"T": network}, torch.randn(1, 16, 16, 16), truth, "v")
    assert "slice 10" in figure.get_suptitle()
    expected = network.encoder[1][0].square().mean(dim=0)[5]
    np.testing.assert_allclose(picture(figure.axes[2]), expected / expected.max(), atol=1e-5)


def test_a_network_without_encoder_taps_is_refused():
    with pytest.raises(ValueError, match="nothing has no encoder taps"):
        importance_figure({"nothing": Features(torch.zeros(1, 2, 16, 16))}, torch.randn(1, 16, 16), label(16, 16), "c")


def test_channels_that_vary_most_come_first():
    tap = torch.zeros(1, 5, 8, 8)
    for channel, strength in enumerate((1.0, 3.0, 0.0, 2.0, 0.5)):
        tap[0, channel, :4] = strength
    figure = channels_figure(tap, "encoder.2", count=3)
    assert [axis.get_title() for axis in figure.axes] == ["channel 1", "channel 3", "channel 0"]
    assert "3 of 5 channels, from 0.00 (black) to 3.00" in figure.get_suptitle()
    np.testing.assert_allclose(picture(figure.axes[1])[:4], 2 / 3, atol=1e-6)


def test_a_title_is_text_and_no_formula():
    figure = channels_figure(torch.rand(1, 4, 8, 8), "tap $x_{$")
    assert not figure._suptitle.get_parse_math()
