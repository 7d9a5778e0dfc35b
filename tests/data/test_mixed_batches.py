"""Batches of labelled and unlabelled images: their composition, an epoch, several processes, slices and patches."""

import numpy as np
import pytest
import torch
from monai.data import Dataset
from torch.utils.data import RandomSampler, SequentialSampler

from medkd.data import (
    MixedSampler,
    RandStoredPatch,
    SliceDataset,
    balanced_sampler,
    cases_for_patches,
    epoch_indices,
    labelled_items,
    mixed_sampler,
    note_share,
    repeated_sampler,
    write_volume,
)
from medkd.parallel import samplers
from medkd.parallel.samplers import DistributedSamplerWrapper


def entries(labelled, unlabelled):
    return Dataset([{"labelled": True}] * labelled + [{"labelled": False}] * unlabelled)


def batches(sampler, size):
    order = list(sampler)
    assert len(order) == len(sampler)
    return [order[start : start + size] for start in range(0, len(order), size)]


@pytest.mark.parametrize(
    ("size", "share", "expected"),
    [(4, 0.5, 2), (8, 0.25, 2), (5, 0.5, 2), (2, 0.5, 1), (4, 0.0, 1), (4, 1.0, 3), (3, 0.5, 2)],
)
def test_each_batch_has_its_share(size, share, expected):
    data = entries(12, 7)
    sampler = mixed_sampler(RandomSampler(epoch_indices(data)), data, size, share)
    found = batches(sampler, size)
    assert len(found) == 12 // (size - expected)
    assert all(sum(index >= 12 for index in batch) == expected and len(batch) == size for batch in found)
    labelled = [index for batch in found for index in batch if index < 12]
    assert len(set(labelled)) == len(labelled) == 12 - sampler.left_out


def test_unlabelled_items_are_drawn_equally_often_and_anew_each_epoch():
    sampler = MixedSampler(SequentialSampler(range(12)), range(12, 15), 4, 0.5)
    first, second = ([index for index in sampler if index >= 12] for _ in range(2))
    assert all(first.count(index) == 4 for index in range(12, 15)) and first != second
    torch.manual_seed(3)
    third = list(sampler)
    torch.manual_seed(3)
    assert list(sampler) == third


def test_fewer_labelled_items_than_a_batch_takes():
    sampler = MixedSampler(SequentialSampler(range(2)), range(2, 40), 8, 0.5)
    assert len(batches(sampler, 8)) == 1 and len(sampler) == 6 and sampler.left_out == 0


def test_all_or_none_labelled_is_left_to_the_sampler():
    for data in (entries(4, 0), entries(0, 4)):
        sampler = RandomSampler(epoch_indices(data))
        assert mixed_sampler(sampler, data, 1, 0.5) is sampler and sorted(sampler) == [0, 1, 2, 3]
    assert labelled_items(entries(4, 0)).data and len(labelled_items(entries(0, 4))) == 0
    assert len(labelled_items(entries(3, 4))) == 3


def test_a_batch_of_one_is_refused():
    with pytest.raises(ValueError, match="--batch_size 1: expected 2 or more"):
        mixed_sampler(SequentialSampler(range(3)), entries(3, 1), 1, 0.5)


@pytest.mark.parametrize("count", [2, 3])
def test_each_process_has_batches_of_the_same_composition(monkeypatch, count):
    orders = []
    monkeypatch.setattr(samplers, "processes", lambda: count)
    for rank in range(count):
        monkeypatch.setattr(samplers, "rank", lambda rank=rank: rank)
        sampler = DistributedSamplerWrapper(MixedSampler(SequentialSampler(range(12)), range(12, 30), 2, 0.5))
        orders.append(batches(sampler, 2))
    assert all(sum(index >= 12 for index in batch) == 1 for order in orders for batch in order)
    assert {len(order) for order in orders} == {12 // count}
    assert sorted(index for order in orders for batch in order for index in batch if index < 12) == list(range(12))


def store(path, array):
    write_volume(path, array, np.eye(4))
    return str(path)


@pytest.fixture
def volumes(tmp_path):
    """Two labelled volumes of six slices, two of them with the target, and an unlabelled one of five slices."""
    found = []
    for name, depth in (("a", 6), ("b", 6), ("u", 5)):
        image = torch.arange(depth * 64).reshape(depth, 8, 8).short().numpy()
        files = {"image": store(tmp_path / f"{name}_image.b2nd", image)}
        entry = {"case": name, "shape": [depth, 8, 8], "spacing": [1.0, 1.0, 1.0], "labelled": name != "u"}
        if name != "u":
            label = (image % 64 == 9).astype("uint8")
            label[2:] = 0
            entry |= {"slices_with": {"1": [0, 1]}}
            files["label"] = store(tmp_path / f"{name}_label.b2nd", label)
        found.append({**entry, **files})
    return found


def test_slices_of_unlabelled_volumes(volumes):
    data = SliceDataset(volumes, target=(1,), slices="target")
    assert len(data) == 2 + 2 + 5  # without a label nothing says which slices hold the target
    assert [bool(item["labelled"]) for item in data] == [True] * 4 + [False] * 5
    assert data[8]["label"].sum() == 0 and data[8]["label"].dtype == data[0]["label"].dtype
    assert data[8]["label"].shape == data[0]["label"].shape
    whole = SliceDataset(volumes, target=(1,))
    assert set(balanced_sampler(whole)) <= set(range(12))
    assert len(mixed_sampler(balanced_sampler(whole), whole, 4, 0.5)) == 2 * 8
    alone = SliceDataset(volumes[2:], target=(1,))
    assert sorted(balanced_sampler(alone)) == list(range(5))


def test_patches_of_unlabelled_volumes(volumes):
    cases = cases_for_patches(volumes, (4, 8, 8), None, (1,))
    patch = RandStoredPatch((4, 8, 8), None, (1,), positive=1.0).set_random_state(seed=0)
    starts = {int(patch(cases[2])["image"][0, 0, 0, 0]) for _ in range(20)}
    assert starts == {0, 64}  # anywhere: at both slices where a patch can begin
    item, labelled = patch(cases[2]), patch(cases[0])
    assert item["label"].sum() == 0 and item["labelled"] is False and labelled["labelled"] is True
    assert item["label"].dtype == labelled["label"].dtype and item["label"].shape == labelled["label"].shape
    assert set(repeated_sampler(Dataset(cases), 3)) == {0, 1} and len(repeated_sampler(Dataset(cases[2:]), 3)) == 3
    assert cases_for_patches(volumes[2:], (4, 8, 8), None, (1,)) == volumes[2:]
    with pytest.raises(ValueError, match="case u: no 'shape' and 'spacing'"):
        cases_for_patches([{"case": "u", "labelled": False}], (4, 8, 8), None, (1,))


def test_a_share_without_effect_is_told(capsys):
    for is_given, labelled, unlabelled in ((True, 4, 2), (False, 4, 0), (False, 0, 2)):
        note_share(is_given, labelled, unlabelled)
    assert not capsys.readouterr().out
    note_share(True, 4, 0)
    note_share(True, 0, 4)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "note: --unlabelled_share has no effect: all training cases have labels",
        "note: --unlabelled_share has no effect: no training case has a label",
    ]
