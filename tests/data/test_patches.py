"""Patches out of volume stores: where they lie, what they hold, which are refused."""

import numpy as np
import pytest
import torch
from monai.data import Dataset

from medkd.data import RandStoredPatch, cases_for_patches, native_size, repeated_sampler, write_volume

SHAPE = (12, 20, 30)


@pytest.fixture
def entry(tmp_path):
    """A volume whose voxels tell where they are, with one target voxel of value 2 and a box of value 1."""
    image = np.arange(np.prod(SHAPE), dtype=np.int64).reshape(SHAPE) % 30000
    label = np.zeros(SHAPE, np.uint8)
    label[7, 4, 25] = 2
    label[2:5, 10:12, 3:8] = 1
    paths = {key: str(tmp_path / f"{key}.b2nd") for key in ("image", "label")}
    write_volume(paths["image"], image.astype(np.int16), np.eye(4))
    write_volume(paths["label"], label, np.eye(4))
    slices = {"1": [2, 3, 4], "2": [7]}
    return {**paths, "case": "a", "shape": list(SHAPE), "spacing": [4.0, 1.0, 0.5], "slices_with": slices}


def patches(entry, count=200, seed=0, **options):
    draw = RandStoredPatch(**{"roi_size": (4, 8, 8), "spacing": None, "target": (1, 2), **options})
    draw.set_random_state(seed)
    return [draw(entry) for _ in range(count)]


def test_a_patch_is_a_box_of_the_volume(entry):
    whole = np.arange(np.prod(SHAPE)).reshape(SHAPE) % 30000
    for item in patches(entry, 20):
        image = item["image"][0].numpy()
        assert item["image"].shape == item["label"].shape == (1, 4, 8, 8)
        assert image.dtype == np.float32 and item["label"].dtype == torch.uint8
        s, r, c = np.unravel_index(int(image[0, 0, 0]), SHAPE)
        np.testing.assert_array_equal(image, whole[s : s + 4, r : r + 8, c : c + 8])


def test_positive_patches_hold_the_target_and_every_value_is_drawn(entry):
    found = patches(entry, positive=1.0)
    assert all(bool((item["label"] > 0).any()) for item in found)
    share = np.mean([bool((item["label"] == 2).any()) for item in found])
    assert 0.35 < share < 0.65  # one voxel against thirty: by value, not by volume


def test_negative_patches_lie_anywhere(entry):
    starts = {tuple(np.unravel_index(int(i["image"][0, 0, 0, 0]), SHAPE)) for i in patches(entry, 400, positive=0.0)}
    assert {s for s, _, _ in starts} == set(range(SHAPE[0] - 4 + 1))
    assert {min(c for *_, c in starts), max(c for *_, c in starts)} == {0, SHAPE[2] - 8}


def test_the_seed_decides(entry):
    once, again, other = (patches(entry, 5, seed) for seed in (3, 3, 4))
    assert all(torch.equal(a["image"], b["image"]) for a, b in zip(once, again, strict=True))
    assert not all(torch.equal(a["image"], b["image"]) for a, b in zip(once, other, strict=True))


def test_a_smaller_volume_is_centred_and_padded(entry):
    (item,) = patches(entry, 1, roi_size=(16, 20, 30), pad_value=-7)
    assert bool((item["image"][0, :2] == -7).all() and (item["image"][0, -2:] == -7).all())
    assert int(item["image"][0, 2, 0, 1]) == 1 and int((item["label"] == 1).sum()) == 30


def test_patches_of_another_spacing_cover_the_same_millimetres(entry):
    """Twice the slices, half the columns: a linear ramp stays the same ramp in mm."""
    ramp = np.broadcast_to(np.arange(SHAPE[2], dtype=np.int16) * 10, SHAPE)
    write_volume(entry["image"], np.ascontiguousarray(ramp), np.eye(4))
    assert native_size((4, 8, 8), (2.0, 1.0, 1.0), entry["spacing"]) == (2, 8, 16)
    for item in patches(entry, 10, spacing=(2.0, 1.0, 1.0)):
        row = item["image"][0, 0, 0].numpy()
        np.testing.assert_allclose(np.diff(row), 20, rtol=1e-4)  # two columns of 0.5 mm a step
        assert row[0] % 10 == pytest.approx(5, abs=0.01)  # between two voxels


def test_cases_are_checked(entry):
    assert cases_for_patches([entry], (16, 32, 32), None, (2,)) == [entry]  # up to the next multiple of 16
    with pytest.raises(ValueError, match=r"--patch_size \[32, 8, 8\]: 32 slices .* expected 16 at most \(case a: 12\)"):
        cases_for_patches([entry], (32, 8, 8), None, (2,))
    with pytest.raises(
        ValueError, match=r"32 columns .* at a spacing of \(4, 1, 1\) mm: expected 16 at most \(case a: 15\)"
    ):
        cases_for_patches([entry], (4, 8, 32), (4, 1, 1), (2,))
    small = {**entry, "case": "b", "shape": [3, 4, 5]}
    assert len(cases_for_patches([small, entry], (12, 20, 30), None, (2,))) == 2
    with pytest.raises(ValueError, match="no training case holds the target"):
        cases_for_patches([entry], (4, 8, 8), None, (5,))
    for size in ((4, 8), (4, 8, 0), "4,8,8"):
        with pytest.raises(ValueError, match="--patch_size: found .*three positive numbers"):
            cases_for_patches([entry], size, None, (2,))
    with pytest.raises(ValueError, match="--spacing: found"):
        cases_for_patches([entry], (4, 8, 8), (1, 1), (2,))


def test_each_case_is_drawn_equally_often():
    data = Dataset([{"case": case} for case in "abc"])
    order = list(repeated_sampler(data, 4))
    assert len(order) == 12 and all(order.count(k) == 4 for k in range(3))
