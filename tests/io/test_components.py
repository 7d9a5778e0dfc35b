"""Connected components that are removed from label maps, against scikit-image and by hand."""

import numpy as np
import pytest
from skimage.measure import label
from skimage.morphology import remove_small_objects

from medkd.io import label_components, remove_components, voxel_volume


def blobs(shape, seed=0):
    return (np.random.default_rng(seed).random(shape) > 0.8).astype(np.uint8)


@pytest.mark.parametrize("shape", [(9, 20, 21), (33, 30), (1, 15, 15)])
def test_components_are_those_of_scikit_image_with_full_connectivity(shape):
    mask = blobs(shape) > 0
    assert np.array_equal(label_components(mask) > 0, mask)
    pairs = np.unique(np.stack([label_components(mask)[mask], label(mask, connectivity=mask.ndim)[mask]]), axis=1)
    assert len(pairs[0]) == len(set(pairs[0])) == len(set(pairs[1])) == label(mask).max()


@pytest.mark.parametrize("shape", [(9, 20, 21), (40, 41)])
def test_small_components_are_removed_as_by_scikit_image(shape):
    labels = blobs(shape) + 2 * (blobs(shape, seed=1) * (1 - blobs(shape)))
    for value in (1, 2):
        expected = remove_small_objects(labels == value, max_size=3, connectivity=labels.ndim)
        assert np.array_equal(remove_components(labels, min_volume=2.0, volume=0.5) == value, expected)


def test_the_largest_component_of_each_class_is_kept():
    labels = np.array([[1, 1, 0, 2, 0, 1, 1, 1, 0, 2, 2]], dtype=np.uint8)
    cleaned = remove_components(labels, largest=True)
    assert cleaned.tolist() == [[0, 0, 0, 0, 0, 1, 1, 1, 0, 2, 2]] and labels[0, 0] == 1
    assert remove_components(labels, largest=True, min_volume=3).tolist() == [[0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0]]


@pytest.mark.parametrize("shape", [(0, 4, 4), (3, 4, 4), (5, 5)])
def test_labels_without_foreground_stay(shape):
    labels = np.zeros(shape, dtype=np.uint8)
    assert remove_components(labels, largest=True, min_volume=1).shape == shape
    assert label_components(labels > 0).shape == shape


def test_a_component_of_exactly_the_volume_stays():
    labels = np.ones((10, 10, 10), dtype=np.uint8)
    spacing = voxel_volume(np.diag([0.7, 0.7, 1 / 0.49, 1]), 3)
    assert remove_components(labels, min_volume=1.0, volume=spacing).all()
    assert not remove_components(labels, min_volume=1.001, volume=spacing).any()


def test_volume_of_sheared_axes_and_of_a_pixel():
    sheared = np.array([[-3.0, 0, 0, 9], [0, -2, 0, 9], [0, 1.5, 1, 9], [0, 0, 0, 1]])
    assert voxel_volume(sheared, 3) == pytest.approx(0.006)
    assert voxel_volume(sheared, 2) == 1.0 and voxel_volume(None, 3) == 0.001
