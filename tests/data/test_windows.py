"""The windows of channels: as MONAI's own transform for one, each by itself for several."""

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import ScaleIntensityRanged

from medkd.data import ScaleWindowd

IMAGE = torch.linspace(-1000, 1000, 96).reshape(2, 3, 4, 4)


def test_one_channel_is_scaled_as_by_monai_to_the_last_bit():
    expected = ScaleIntensityRanged("image", -160, 240, -1, 1, clip=True)({"image": IMAGE[:1]})["image"]
    assert torch.equal(ScaleWindowd("image", [-160, 240], ["image"])({"image": IMAGE[:1]})["image"], expected)


def test_each_channel_has_its_own_window_and_the_meta_data_stay():
    image = MetaTensor(IMAGE, affine=torch.diag(torch.tensor([3.0, 1, 1, 1])))
    scaled = ScaleWindowd("image", [[-160, 240], [0, 900]], ["ct", "t1"])({"image": image})["image"]
    for channel, window in enumerate(([-160, 240], [0, 900])):
        assert torch.equal(
            scaled[channel], ScaleWindowd("image", window)({"image": IMAGE[channel : channel + 1]})["image"][0]
        )
    assert torch.equal(scaled.affine, image.affine)


def test_another_number_of_windows_is_refused():
    with pytest.raises(ValueError, match="--window: found .*, expected one for each of the channels ct, t1"):
        ScaleWindowd("image", [-160, 240], ["ct", "t1"])
    with pytest.raises(ValueError, match=r"item\['image'\]: found 2 channels, expected 3"):
        ScaleWindowd("image", [[0, 1]] * 3)({"image": IMAGE})
