"""Slices out of stores, and the balanced sampler."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from torch.utils.data import DataLoader, RandomSampler, WeightedRandomSampler

from medkd.data import SliceDataset, balanced_sampler, write_volume


def make(folder, name, depth, tumour, kidney=()):
    image = np.arange(depth * 12, dtype=np.int16).reshape(depth, 3, 4) - 1000
    label = np.zeros((depth, 3, 4), np.uint8)
    label[list(kidney), 0, 0], label[list(tumour), 1, 1] = 1, 2
    for key, array in (("image", image), ("label", label)):
        write_volume(folder / f"{name}_{key}.b2nd", array, np.eye(4))
    return {
        **{key: str(folder / f"{name}_{key}.b2nd") for key in ("image", "label")},
        "case": name,
        "patient": name,
        "shape": [depth, 3, 4],
        "slices_with": {"1": list(kidney), "2": list(tumour)},
    }


@pytest.fixture
def entries(tmp_path):
    return [make(tmp_path, "a", 6, [2, 4], [0, 2]), make(tmp_path, "b", 4, [3])]


def test_items(entries):
    data = SliceDataset(entries)
    assert len(data) == 10
    item = data[7]
    assert (item["case"], item["slice"]) == ("b", 1)
    assert type(item["image"]) is torch.Tensor and not isinstance(item["label"], MetaTensor)
    assert item["image"].dtype == torch.float32 and item["label"].dtype == torch.uint8
    assert torch.equal(item["image"], torch.arange(12, 24, dtype=torch.float32).reshape(1, 3, 4) - 1000)
    expected = torch.zeros(1, 3, 4, dtype=torch.uint8)
    expected[0, 1, 1] = 2
    assert torch.equal(data[9]["label"], expected)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ((2,), [("a", 2), ("a", 4), ("b", 3)]),
        ((1,), [("a", 0), ("a", 2)]),
        ((1, 2), [("a", 0), ("a", 2), ("a", 4), ("b", 3)]),
    ],
)
def test_target_slices_without_reading_a_volume(entries, target, expected):
    moved = [{**entry, "image": "gone", "label": "gone"} for entry in entries]
    data = SliceDataset(moved, target=target, slices="target")
    assert [(entry["case"], number) for entry, number in data.data] == expected


def test_transform_is_applied_to_a_fresh_item(entries):
    data = SliceDataset(entries, transform=lambda item: {**item, "image": item["image"].add_(5000)})
    assert data[0]["image"].min() == 4000 == data[0]["image"].min()


def test_refuses(entries):
    with pytest.raises(ValueError, match="slices='tumour', expected 'all' or 'target'"):
        SliceDataset(entries, slices="tumour")
    with pytest.raises(ValueError, match="no slice in 2 cases"):
        SliceDataset(entries, target=(5,), slices="target")
    with pytest.raises(ValueError, match="case a: no 'slices_with'"):
        SliceDataset([{key: value for key, value in entries[0].items() if key != "slices_with"}])


def test_balanced_sampler_draws_both_groups_equally(tmp_path):
    data = SliceDataset([make(tmp_path, "a", 400, range(30))])
    sampler = balanced_sampler(data)
    assert isinstance(sampler, WeightedRandomSampler) and len(sampler) == 60
    drawn = [index for _ in range(50) for index in sampler]
    share = np.mean([data.has_target[index] for index in drawn])
    assert 0.45 < share < 0.55  # 0.075 without balancing; 3000 draws: standard deviation 0.009
    assert len(balanced_sampler(SliceDataset([make(tmp_path, "b", 10, range(9))]))) == 10


def test_balanced_sampler_follows_the_global_seed(entries):
    sampler = balanced_sampler(SliceDataset(entries))
    runs = []
    for seed in (3, 3, 4, 5):
        torch.manual_seed(seed)
        runs.append([index for _ in range(5) for index in sampler])
    assert runs[0] == runs[1] and len({tuple(run) for run in runs}) == 3


def test_balanced_sampler_draws_each_once_where_all_hold_the_target(tmp_path):
    sampler = balanced_sampler(SliceDataset([make(tmp_path, "a", 4, range(4))]))
    assert isinstance(sampler, RandomSampler) and sorted(sampler) == [0, 1, 2, 3]


def test_training_without_any_target_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no training slice holds the target \(0 of 4\): was --label_values correct"):
        balanced_sampler(SliceDataset([make(tmp_path, "a", 4, [])]))


def test_workers_read_the_same_slices(entries):
    data = SliceDataset(entries)
    alone = torch.cat([batch["image"] for batch in DataLoader(data, batch_size=5)])
    workers = torch.cat([batch["image"] for batch in DataLoader(data, batch_size=5, num_workers=2)])
    assert torch.equal(alone, workers)
