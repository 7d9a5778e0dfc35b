"""Maps of a whole volume, read by patch: where grids agree voxel for voxel, else interpolated at the image's places."""

import numpy as np
import pytest
import torch

from medkd.data import RandStoredPatch, map_grid, maps_shape, write_maps, write_volume
from medkd.data.volume_store import read_maps

SPACING = (4.0, 1.0, 0.5)


def ramp(shape, scale):
    """Voxels whose value tells their position: the sum of weighted coordinates, in voxels of the volume."""
    axes = [(np.arange(n) + 0.5) * q - 0.5 for n, q in zip(shape, scale, strict=True)]
    return sum(weight * axis for weight, axis in zip((100, 10, 1), np.meshgrid(*axes, indexing="ij"), strict=True))


@pytest.fixture
def entry(tmp_path):
    def make(shape, roi_size, spacing):
        image = np.round(ramp(shape, (1, 1, 1))).astype(np.int16)
        write_volume(tmp_path / "image.b2nd", image, np.eye(4))
        write_volume(tmp_path / "label.b2nd", np.zeros(shape, np.uint8), np.eye(4))
        grid = map_grid(shape, SPACING, roi_size, spacing)
        step = np.array(grid.padded) / grid.size
        values = ramp(grid.size, step) - np.dot((100, 10, 1), grid.before)
        maps = np.stack([values, -values]).astype(np.float16)
        write_maps(tmp_path / "maps.b2nd", maps, np.eye(4))
        paths = {
            "image": tmp_path / "image.b2nd",
            "label": tmp_path / "label.b2nd",
            "soft_labels": tmp_path / "maps.b2nd",
        }
        return {
            **{k: str(v) for k, v in paths.items()},
            "case": "a",
            "shape": shape,
            "spacing": SPACING,
            "slices_with": {},
        }

    return make


def patches(entry, roi_size, spacing, count=20):
    transform = RandStoredPatch(roi_size, spacing, (1,), pad_value=-999).set_random_state(0)
    return [transform(entry) for _ in range(count)]


@pytest.mark.parametrize("spacing", [None, SPACING, (4.0000004, 1.0, 0.4999996)])
def test_on_the_same_grid_maps_are_read_voxel_for_voxel(entry, spacing):
    for item in patches(entry((8, 20, 30), (4, 8, 16), spacing), (4, 8, 16), spacing):
        assert item["soft_labels"].dtype == torch.float16 and item["soft_labels"].shape == (2, 4, 8, 16)
        assert torch.equal(item["soft_labels"][:1], item["image"].half())
        assert torch.equal(item["soft_labels"][1:], -item["image"].half())


@pytest.mark.parametrize("spacing", [(2.0, 1.0, 1.5), (4.0, 1.7, 0.5), (7.0, 0.6, 0.4)])
def test_at_another_spacing_maps_lie_where_the_image_lies(entry, spacing):
    """A linear ramp stays itself under linear interpolation, except at the borders of the volume."""
    roi_size = (4, 8, 8)
    for item in patches(entry((14, 40, 60), roi_size, spacing), roi_size, spacing):
        image, maps = item["image"][0], item["soft_labels"][0].float()
        inner = (slice(1, -1),) * 3
        difference = (image - maps)[inner].abs()
        assert difference.median() < 1.0  # a tenth of a row; float16 holds 2000 to 1
        assert difference.quantile(0.9) < 3


def test_a_volume_smaller_than_the_patch_has_maps_of_its_padding(entry):
    shape, roi_size = (5, 20, 7), (8, 16, 16)
    small = entry(shape, roi_size, None)
    assert maps_shape(small["soft_labels"]) == (2, 8, 20, 16)
    for item in patches(small, roi_size, None, 5):
        inside = item["image"] > -999
        assert torch.equal(item["soft_labels"][:1][inside], item["image"].half()[inside])
        s, c = (item["soft_labels"][0, 1].min(), item["soft_labels"][0, 0].min())
        assert s - c == 100  # the padding holds maps as well


def test_the_random_patches_are_those_without_maps(entry):
    whole = entry((8, 20, 30), (4, 8, 16), None)
    plain = {key: value for key, value in whole.items() if key != "soft_labels"}
    pairs = zip(patches(whole, (4, 8, 16), None), patches(plain, (4, 8, 16), None), strict=True)
    assert all(torch.equal(a["image"], b["image"]) and "soft_labels" not in b for a, b in pairs)


def test_a_damaged_store_of_maps_is_told(entry, tmp_path):
    whole = entry((8, 20, 30), (4, 8, 16), None)
    content = bytearray((tmp_path / "maps.b2nd").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "maps.b2nd").write_bytes(content)
    with pytest.raises(ValueError, match=r"maps\.b2nd: damaged or truncated .*: remove it, the same"):
        patches(whole, (4, 8, 16), None)


def test_maps_are_checked_and_a_volume_is_no_map(tmp_path):
    with pytest.raises(ValueError, match=r"found float32 \(2, 3, 4, 5\), expected float16"):
        write_maps(tmp_path / "a.b2nd", np.zeros((2, 3, 4, 5), np.float32), np.eye(4))
    write_volume(tmp_path / "v.b2nd", np.zeros((3, 4, 5), np.uint8), np.eye(4))
    with pytest.raises(ValueError, match="expected 4 axes and an affine"):
        read_maps(tmp_path / "v.b2nd", (slice(0, 1),) * 3)
