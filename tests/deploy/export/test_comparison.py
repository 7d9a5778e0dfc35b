"""Differences and Dice of two networks whose outputs are known."""

import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SliceInferer
from monai.transforms import Compose, Lambdad
from torch import nn

from medkd.deploy.export.comparison import compare
from medkd.inferers import VolumeInferer
from medkd.metrics import logits_to_labels


class Threshold(nn.Module):
    """Foreground where the image is above a value."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, image):
        return torch.cat([image * 0, image - self.value], dim=1)


def case(item):
    image = torch.zeros(1, 4, 8, 8)
    image[0, 1, 2:6, 2:6] = 0.5  # 16 voxels of the class
    image[0, 2, 0, :4] = 0.2  # 4 others
    return {**item, "image": MetaTensor(image), "label": MetaTensor((image == 0.5).float())}


INFERERS = {
    "slices": lambda: SliceInferer(spatial_dim=0, roi_size=(8, 8), sw_batch_size=2, mode="gaussian"),
    "volumes": lambda: VolumeInferer((2, 8, 8), decide=logits_to_labels),
}


@pytest.mark.parametrize("kind", INFERERS)
def test_differences_and_dice_of_thresholds(kind):
    post = Compose([Lambdad("pred", logits_to_labels)])
    others, cases, classes = (
        {"same": Threshold(0.3), "lower": Threshold(0.1)},
        [{"case": "a"}, {"case": "b"}],
        ("tumour", "cyst"),
    )
    # the inferer is used for one case after the other
    both = compare(Threshold(0.3), others, cases, case, INFERERS[kind](), post, dict(enumerate(classes, 1)))
    assert both["same"]["logits"]["max_difference"] == both["same"]["other_decision"] == 0
    assert both["same"]["dice"]["tumour"] == {"original": 1, "exported": 1, "change": 0, "n": 2}
    found = both["lower"]
    assert found["cases"] == ["a", "b"]
    assert found["logits"]["max_difference"] == pytest.approx(0.2, abs=1e-6)
    assert found["logits"]["mean_difference"] == pytest.approx(0.1, abs=1e-6)  # one of two channels
    assert found["other_decision"] == pytest.approx(4 / 256)
    dice = found["dice"]["tumour"]
    assert dice["original"] == 1 and dice["exported"] == pytest.approx(32 / 36) and dice["n"] == 2
    assert dice["change"] == pytest.approx(32 / 36 - 1)
    assert found["dice"]["cyst"] == {"original": None, "exported": None, "change": None, "n": 0}
