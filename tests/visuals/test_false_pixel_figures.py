"""Figures of false pixels: coloured errors, images made of the queue of each class, swatches of the queue."""

import numpy as np
import pytest
import torch

from medkd.correction import FalsePixelQueue
from medkd.visuals import false_pixels_figure, plot_false_pixels


def case(count=2, channels=3, depth=()):
    """Background 0.2, lesion 0.6; false positives are 0.3 and 0.4, false negatives 0.7 and 0.8."""
    label = torch.zeros(count, 1, *depth, 12, 12, dtype=torch.long)
    label[..., 3:9, 3:9] = 1
    image = torch.where(label > 0, 0.6, 0.2).repeat(1, channels, *[1] * (label.ndim - 2))
    prediction = label.clone()
    for rows, columns, value in ((0, 0, 0.3), (0, 1, 0.4), (4, 4, 0.7), (4, 5, 0.8), (5, 5, 0.8)):
        if rows:
            prediction[..., rows, columns] = 0
        else:
            prediction[..., rows, columns] = 1
        image[..., rows, columns] = value
    queue = FalsePixelQueue(channels, 2, 16)
    queue.push(image, label, prediction, 8)
    return image, label, prediction, queue


def values(axis, layer=0):
    return np.asarray(axis.images[layer].get_array())


def coloured(axis):
    layer = values(axis, 1)
    marked = layer[..., 3] > 0
    return marked & (layer[..., 0] < 0.5), marked & (layer[..., 0] > 0.5)


def test_incorrect_pixels_mask_and_made_image():
    image, label, prediction, queue = case()
    figure = false_pixels_figure(image, label, prediction, queue, "teacher", cases=["a", "b"])
    assert figure.get_suptitle().startswith("teacher ") and len(figure.axes) == 2 * 3 + 2
    for row, name in enumerate("ab"):
        real, mask, synthetic = figure.axes[3 * row : 3 * row + 3]
        assert real.get_ylabel() == name and real.get_xlabel() == "2 false positive, 3 false negative"
        positive, negative = coloured(real)
        incorrect = (prediction != label)[row, 0]
        np.testing.assert_array_equal(positive, incorrect & (label[row, 0] == 0))
        np.testing.assert_array_equal(negative, incorrect & (label[row, 0] == 1))
        np.testing.assert_array_equal(values(mask), label[row, 0])
        # 0.2 is 0 and 0.8 is 1 in the picture, in every panel
        pixels, lesion = values(synthetic)[..., 0], label[row, 0].numpy() > 0
        np.testing.assert_allclose(np.unique(pixels[lesion].round(3)), [0.833, 1], atol=1e-3)
        np.testing.assert_allclose(np.unique(pixels[~lesion].round(3)), [0.167, 0.333], atol=1e-3)


def test_swatches_go_from_dark_to_bright_and_show_the_whole_queue():
    image, label, prediction, queue = case()
    background, lesion = false_pixels_figure(image, label, prediction, queue, "teacher").axes[-2:]
    assert background.get_title() == "queue of the background, false positives: 4 pixels, dark to bright"
    assert lesion.get_title() == "queue of the lesion, false negatives: 6 pixels, dark to bright"
    for axis, shares in ((background, {0.167: 1 / 2, 0.333: 1 / 2}), (lesion, {0.833: 1 / 3, 1.0: 2 / 3})):
        column = values(axis)[..., 0].T.reshape(-1)
        assert (np.diff(column) >= 0).all()
        for value, share in shares.items():
            assert np.isclose(column, value, atol=1e-3).mean() == pytest.approx(share, abs=0.1)


def test_a_volume_shows_the_slice_with_most_incorrect_pixels(tmp_path):
    image, label, prediction, queue = case(channels=1, depth=(4,))
    prediction[0, :, :2], prediction[0, :, 3] = label[0, :, :2], label[0, :, 3]
    prediction[1, :, 1, 2] = 1
    arguments = image.numpy(), label.numpy(), prediction.numpy(), queue
    figure = false_pixels_figure(*arguments, "teacher", cases=["a", "b"])
    assert [figure.axes[3 * row].get_ylabel() for row in (0, 1)] == ["a, slice 2", "b, slice 1"]
    assert coloured(figure.axes[3])[0].sum() == 2 + 12
    assert values(figure.axes[2]).squeeze().shape == (12, 12)
    path = plot_false_pixels(*arguments, tmp_path / "a.png", "teacher")
    assert path == tmp_path / "a.png" and path.stat().st_size > 1000


def test_a_seed_makes_the_picture():
    arguments = case()
    synthetic = [
        values(false_pixels_figure(*arguments, "teacher", torch.Generator().manual_seed(seed)).axes[2])
        for seed in (0, 0, 1)
    ]
    assert (synthetic[0] == synthetic[1]).all() and (synthetic[0] != synthetic[2]).any()


def test_errors():
    image, label, prediction, queue = case()
    with pytest.raises(ValueError, match="false_pixels_figure: class 0 of the labels has no pixel in the queue"):
        false_pixels_figure(image, label, prediction, FalsePixelQueue(3, 2, 4), "a")
    with pytest.raises(ValueError, match="class 2 of the labels has no pixel"):
        false_pixels_figure(image, label * 2, prediction, queue, "a")
    with pytest.raises(ValueError, match=r"false_pixels_figure: prediction \(1, 1, 12, 12\) does not fit the image"):
        false_pixels_figure(image, label, prediction[:1], queue, "a")
    with pytest.raises(ValueError, match="cases: found 1 names, expected 2"):
        false_pixels_figure(image, label, prediction, queue, "a", cases=["x"])
