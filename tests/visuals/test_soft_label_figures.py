"""Figures of soft labels: incorrect pixels are coloured and counted, in pictures and in the shown slice of volumes."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from medkd.correction import SoftLabels, correct_soft_labels, is_correct
from medkd.visuals import plot_progression, progression_figure


def stages(label, channels=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    teacher, first, second = (
        torch.randn(1, channels, *label.shape[2:], generator=generator).softmax(dim=1) for _ in range(3)
    )
    return correct_soft_labels(teacher, label, first, second)


def lesion(*shape, classes=2):
    label = torch.zeros(1, 1, *shape, dtype=torch.long)
    label[..., 4:10, 3:9] = classes - 1
    label[..., 4:6, 3:9] = 1
    return label


def marked(axis, colour):
    layer = np.asarray(axis.images[1].get_array())
    return (np.abs(layer[..., :3] - to_rgb(colour)).max(axis=-1) < 0.01) & (layer[..., 3] > 0)


@pytest.mark.parametrize("classes", [2, 3])
def test_incorrect_pixels_are_marked_and_counted(classes):
    label = lesion(14, 12, classes=classes)
    chain = stages(label, classes)
    figure = progression_figure(torch.randn(3, 14, 12), label[0], chain, "case_7")
    assert "case_7" in figure.get_suptitle()
    for axis, stage in zip(figure.axes[1:5], chain, strict=True):
        incorrect, positive = ~is_correct(stage, label)[0, 0], label[0, 0] == 0
        np.testing.assert_array_equal(marked(axis, "#56b4e9"), incorrect & positive)
        np.testing.assert_array_equal(marked(axis, "#d55e00"), incorrect & ~positive)
        counts = int((incorrect & positive).sum()), int((incorrect & ~positive).sum())
        text = f"{sum(counts)} incorrect\n{counts[0]} false positive, {counts[1]} false negative"
        assert axis.get_xlabel() == text
        panel = np.asarray(axis.images[0].get_array()).squeeze()
        np.testing.assert_allclose(panel, 1 - stage[0, 0], atol=1e-6)
        assert axis.images[0].get_clim() == (0, 1)
    assert figure.axes[1].get_xlabel() != figure.axes[2].get_xlabel()  # the test has something to tell apart
    assert figure.axes[4].get_xlabel().startswith("0 incorrect")


def test_a_tie_is_incorrect():
    label = torch.ones(1, 1, 4, 4, dtype=torch.long)
    tie = torch.full((1, 2, 4, 4), 0.5)
    figure = progression_figure(torch.zeros(1, 4, 4), label[0], SoftLabels(tie, tie, tie, tie), "a")
    assert figure.axes[1].get_xlabel() == "16 incorrect\n0 false positive, 16 false negative"


def test_a_volume_shows_the_slice_with_most_incorrect_pixels_of_the_first_stage():
    label = lesion(5, 14, 12)
    right = torch.cat([1.0 - label, label.float()], dim=1)
    first = right.clone()
    first[:, :, 3, :3] = right[:, :, 3, :3].flip(1)  # 36 incorrect pixels
    first[:, :, 1, 0, :4] = right[:, :, 1, 0, :4].flip(1)
    first[:, :, 1, 5, 3:5] = right[:, :, 1, 5, 3:5].flip(1)
    second = right.clone()
    second[:, :, 1] = right[:, :, 1].flip(1)
    figure = progression_figure(
        torch.randn(1, 5, 14, 12).numpy(), label[0], SoftLabels(first, second, right, right), "volume"
    )
    assert figure.get_suptitle().startswith("volume, slice 3 ")
    labels = [axis.get_xlabel() for axis in figure.axes[1:3]]
    volume = "42 incorrect\n40 false positive, 2 false negative"
    assert labels[0] == f"36 incorrect\n36 false positive, 0 false negative\n(whole volume: {volume})"
    assert labels[1].startswith("0 incorrect") and "whole volume: 168 incorrect" in labels[1]
    assert marked(figure.axes[1], "#56b4e9").sum() == 36


def test_the_file_shows_the_marks(tmp_path):
    label = lesion(14, 12)
    chain = SoftLabels(*(stage[0] for stage in stages(label)))  # without the batch's axis, as arrays
    path = plot_progression(np.random.rand(3, 14, 12), label[0].numpy(), chain, tmp_path / "new/a.png", "a")
    assert path == tmp_path / "new/a.png" and [file.name for file in path.parent.iterdir()] == ["a.png"]
    picture = imread(path)[..., :3]
    for colour in ("#d55e00", "#56b4e9"):
        assert (np.abs(picture - to_rgb(colour)).max(axis=-1) < 0.02).sum() > 100


def test_what_does_not_fit_is_told():
    label = lesion(14, 12)
    with pytest.raises(ValueError, match=r"progression_figure: label \(1, 14, 12\) does not fit the image \(1, 9, 9\)"):
        progression_figure(torch.zeros(1, 9, 9), label[0], stages(label), "a")
    with pytest.raises(ValueError, match=r"does not fit the probabilities \(2, 2, 14, 12\)"):
        progression_figure(torch.zeros(1, 14, 12), label[0], SoftLabels(*[torch.rand(2, 2, 14, 12)] * 4), "a")


def test_of_two_channels_the_first_is_shown(tmp_path):
    label, image = lesion(14, 12), torch.rand(2, 14, 12)
    two, one = (
        progression_figure(x, label[0], stages(label), "a").axes[0].images[0].get_array() for x in (image, image[:1])
    )
    assert (two == one).all()
