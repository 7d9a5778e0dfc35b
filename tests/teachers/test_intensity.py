"""Intensities of medkd back to HU and on to the scale of an external network: numbers by hand."""

import pytest
import torch

from medkd.teachers import Intensity
from medkd.teachers.scalings import Linear, RescaleTo01, ZScore, ct_normalization, range_scaling


def test_ct_normalization_of_a_window():
    """-1, 0, 1 are -200, 50, 300 HU; clipped to -100..250; (x - 50) / 100."""
    properties = {"mean": 50.0, "std": 100.0, "percentile_00_5": -100.0, "percentile_99_5": 250.0}
    intensity = Intensity((ct_normalization(properties),), (-200, 300))
    image = torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 1, 1, 3)
    torch.testing.assert_close(intensity(image).flatten(), torch.tensor([-1.5, 0.0, 2.0]))


def test_a_range_with_and_without_clipping():
    x = torch.tensor([-200.0, 0.0, 200.0])
    torch.testing.assert_close(range_scaling(-100, 100, 0, 1)(x), torch.tensor([0.0, 0.5, 1.0]))
    torch.testing.assert_close(range_scaling(-100, 100, 0, 1, clip=False)(x), torch.tensor([-0.5, 0.5, 1.5]))
    with pytest.raises(ValueError, match="found a_min 5, expected less than a_max 5"):
        range_scaling(5, 5, 0, 1)


def test_per_image_scalings_ignore_the_window():
    image = torch.rand(2, 1, 4, 5)
    scaled = Intensity((ZScore(),), (-200, 300))(image)
    torch.testing.assert_close(scaled, ZScore()(image), atol=1e-5, rtol=1e-5)
    assert scaled.mean((1, 2, 3)).abs().max() < 1e-5
    torch.testing.assert_close(scaled.std((1, 2, 3), correction=0), torch.ones(2))
    rescaled = RescaleTo01()(image)
    assert rescaled.amin((1, 2, 3)).eq(0).all() and rescaled.amax((1, 2, 3)).eq(1).all()


def test_a_constant_image_stays_finite():
    for scaling in (ZScore(), RescaleTo01()):
        assert scaling(torch.full((1, 1, 3, 3), 7.0)).eq(0).all()


def test_each_channel_has_its_own_scaling():
    image = torch.ones(1, 2, 2, 2)
    scaled = Intensity((Linear(2.0), Linear(1.0, -1.0)))(image)
    assert scaled[:, 0].eq(2).all() and scaled[:, 1].eq(0).all()
