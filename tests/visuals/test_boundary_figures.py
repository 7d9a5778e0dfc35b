"""That regions and histograms are those of the transform: areas, counts, overlaps by hand, a volume's slice."""

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from medkd.visuals import boundary_figure, histogram_overlap, plot_boundary_transform


def ring(*depth):
    """A lesion of 8 x 8 whose outer ring, one pixel wide (28), is dark as the background; its interior (36) is bright."""
    image, label = torch.zeros(1, *depth, 16, 16), torch.zeros(1, *depth, 16, 16, dtype=torch.long)
    label[..., 4:12, 4:12] = 1
    image[..., 5:11, 5:11] = 1
    return image, label


def panels(figure):
    return dict(zip(("image", "regions", "transformed", "before", "after"), figure.axes, strict=True))


def densities(axis):
    """Region -> (area, mean) of its histogram, read from the drawn outline."""
    values = {}
    for text, patch in zip(axis.get_legend().get_texts(), axis.patches, strict=True):
        x, y = patch.get_xy().T
        edges, heights = x[:-1:2][:41], y[1::2][:40]
        area = heights * np.diff(edges)
        values[text.get_text()] = area.sum(), (area * (edges[:-1] + edges[1:]) / 2).sum()
    return values


def test_overlap_of_histograms():
    a, b = np.array([0.1, 0.1, 0.9, 0.9]), np.array([0.1, 0.5, 0.5, 0.9])
    assert histogram_overlap(a, b) == pytest.approx(0.5)
    assert histogram_overlap(a, np.repeat(a, 7)) == pytest.approx(1)  # shares, not counts
    assert np.isnan(histogram_overlap(a, a[:0]))


def test_histograms_before_and_after():
    image, label = ring()
    figure = boundary_figure(image, label, "case_7", width=1)
    axes = panels(figure)
    assert "case_7" in figure.get_suptitle() and "width 1 pixels, ratio 1" in figure.get_suptitle()
    before, after = densities(axes["before"]), densities(axes["after"])
    names = ["inner (36 pixels)", "boundary (28 pixels)", "background (192 pixels)"]
    assert list(before) == list(after) == names
    for area, _ in (*before.values(), *after.values()):
        assert area == pytest.approx(1)
    # all 28 dark pixels of the ring change places with 28 of the 36 bright ones
    low, high = 0.5 / 40, 39.5 / 40
    assert [before[name][1] for name in names] == pytest.approx([high, low, low])
    assert [after[name][1] for name in names] == pytest.approx([(8 * high + 28 * low) / 36, high, low])
    assert axes["before"].get_title() == "before: boundary and background overlap 1.00"
    assert axes["after"].get_title() == "after: boundary and background overlap 0.00"
    assert axes["before"].get_ylim() == axes["after"].get_ylim()


def test_a_ratio_exchanges_that_share():
    image, label = ring()
    axes = panels(boundary_figure(image, label, "a", width=1, ratio=0.25))
    assert axes["after"].get_title().endswith("0.75")
    np.testing.assert_array_equal(np.asarray(axes["transformed"].images[0].get_array()).sum(), 36)


def test_regions_are_coloured_and_classes_are_one_lesion():
    image, label = ring()
    label[0, 4:8, 4:12] = 2  # the border between the two classes is no boundary
    axes = panels(boundary_figure(image.repeat(3, 1, 1).numpy(), label.numpy(), "a", width=1))
    layer = np.asarray(axes["regions"].images[1].get_array())[..., :3].reshape(-1, 3)
    assert sorted(np.unique(layer, axis=0, return_counts=True)[1]) == [28, 36, 192]
    assert "boundary (28 pixels)" in densities(axes["before"])


def test_a_seed_makes_the_picture():
    image, label = torch.rand(1, 16, 16), ring()[1]
    generators = [torch.Generator().manual_seed(seed) for seed in (0, 0, 1)]
    figures = [boundary_figure(image, label, "a", 2, 0.5, generator) for generator in generators]
    transformed = [np.asarray(panels(figure)["transformed"].images[0].get_array()) for figure in figures]
    assert (transformed[0] == transformed[1]).all() and (transformed[0] != transformed[2]).any()


def test_a_volume_counts_all_slices_and_shows_the_fullest(tmp_path):
    image, label = ring(4)
    label[:, [0, 3]] = 0
    label[:, 1, 4:8] = 0
    figure = boundary_figure(image, label, "volume", width=1, spacing=(5, 1, 1))
    assert figure.get_suptitle().startswith("volume, slice 2 ") and "width 1 mm" in figure.get_suptitle()
    # thick slices are eroded one by one: rings of 28 and, around 4 x 8, 20 pixels
    assert "boundary (48 pixels)" in densities(panels(figure)["before"])
    path = plot_boundary_transform(image, label, tmp_path / "a.png", "volume", width=1)
    assert path == tmp_path / "a.png" and imread(path).ndim == 3


def test_errors():
    image, label = ring()
    with pytest.raises(ValueError, match="boundary_figure: case_7 has no lesion, expected a label above 0"):
        boundary_figure(image, label * 0, "case_7")
    with pytest.raises(ValueError, match=r"boundary_figure: label \(1, 16, 16\) does not fit"):
        boundary_figure(image[:, 1:], label, "a")
