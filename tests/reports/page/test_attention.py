"""Grad-CAM on the page: the window of a volume, and cases beside each other."""

import torch

from medkd.reports.page.attention import _window


def test_the_window_lies_at_the_middle_of_the_target():
    label = torch.zeros(1, 40, 40)
    label[0, 30:34, 2:6] = 1
    image = torch.arange(1600.0).reshape(1, 40, 40)
    window, within, low = _window(image, label, (16, 16))
    assert low == [23, 0] and torch.equal(window, image[:, 23:39, 0:16]) and within.sum() == 16


def test_small_images_are_padded_with_their_minimum():
    image, label = torch.rand(1, 8, 8) + 1, torch.ones(1, 8, 8)
    window, within, low = _window(image, label, (8, 12))
    assert window.shape == within.shape == (1, 8, 12) and low == [0, 0]
    assert (window[..., 8:] == image.min()).all() and (within[..., 8:] == 0).all()
