"""MONAI readers of volume stores."""

import numpy as np
import torch
from monai.data import DataLoader, Dataset, MetaTensor
from monai.transforms import LoadImage, LoadImaged

from medkd.data import VolumeStoreReader, read_volume, write_volume

AFFINE = np.array([[0.01, 0, -0.7, 12.5], [0, -0.8, 0, 1 / 3], [-3.0, 0, 0.02, -881.32], [0, 0, 0, 1]])


def volume(dtype="int16", shape=(5, 17, 23)):
    limits = np.iinfo(dtype)
    array = np.random.default_rng(0).integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    array[0, 0, :2] = limits.min, limits.max
    return array


def test_reader_gives_a_meta_tensor(tmp_path):
    write_volume(tmp_path / "a.b2nd", volume(), AFFINE)
    image = LoadImage(reader=VolumeStoreReader())(tmp_path / "a.b2nd")
    assert isinstance(image, MetaTensor) and image.shape == (5, 17, 23)
    assert torch.equal(image.affine, torch.from_numpy(AFFINE))
    assert image.meta["original_channel_dim"] == "no_channel"
    assert tuple(image.meta["spatial_shape"]) == (5, 17, 23)
    assert image.meta["filename_or_obj"].endswith("a.b2nd")
    first = LoadImage(reader=VolumeStoreReader, ensure_channel_first=True)(tmp_path / "a.b2nd")
    assert first.shape == (1, 5, 17, 23) and np.array_equal(first[0].numpy(), volume())


def test_reader_in_loader_workers(tmp_path):
    for number in range(4):
        write_volume(tmp_path / f"{number}.b2nd", volume() // (number + 1), AFFINE)
    read_volume(tmp_path / "0.b2nd")  # the library has been used before the workers are forked
    load = LoadImaged("image", reader=VolumeStoreReader(), ensure_channel_first=True)
    data = Dataset([{"image": tmp_path / f"{number}.b2nd"} for number in range(4)], load)
    batches = list(DataLoader(data, batch_size=2, num_workers=2))
    assert np.array_equal(batches[1]["image"][1, 0].numpy(), volume() // 4)
