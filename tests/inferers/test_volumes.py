"""Slab by slab, the same values as MONAI's sliding windows over the whole volume."""

import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SlidingWindowInferer
from torch.nn import functional as F

from medkd.inferers import VolumeInferer

ROI = (8, 16, 16)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return torch.nn.Conv3d(1, 3, 5, padding=2).requires_grad_(False)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.7])
@pytest.mark.parametrize("shape", [(20, 25, 30), (17, 16, 16), (8, 25, 10), (5, 7, 9), (5, 30, 16)])
def test_it_is_monais_sliding_window(network, shape, overlap):
    image = torch.randn(1, 1, *shape)
    theirs = SlidingWindowInferer(ROI, 2, overlap, mode="gaussian", cval=-1)(image, network)
    ours = VolumeInferer(ROI, sw_batch_size=2, overlap=overlap)(image, network)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "spacing", [(2.0, 2.0, 2.0), (5.0, 1.0, 1.0), (1.0, 0.7, 1.3), (0.5, 1.0, 1.0), (40.0, 1.0, 1.0)]
)
def test_other_spacings_are_resampled_there_and_back(network, spacing):
    affine = torch.diag(torch.tensor([3.0, 1.0, -1.0, 1.0]))[[1, 0, 2, 3]]  # turned and flipped: 3 mm on the first axis
    image = MetaTensor(torch.randn(1, 1, 20, 25, 30), affine=affine)
    size = [max(1, round(n * mm / to)) for n, mm, to in zip((20, 25, 30), (3.0, 1.0, 1.0), spacing, strict=True)]
    resampled = F.interpolate(image.as_tensor(), size, mode="trilinear")
    resampled_logits = VolumeInferer(ROI)(resampled, network)
    expected = F.interpolate(resampled_logits, (20, 25, 30), mode="trilinear")
    logits = VolumeInferer(ROI, spacing)(image, network)
    torch.testing.assert_close(logits.as_tensor(), expected, atol=1e-4, rtol=0)
    assert torch.equal(logits.affine, image.affine)


def test_decisions_are_those_on_the_whole(network):
    image = torch.randn(1, 1, 20, 25, 30)
    logits = VolumeInferer(ROI)(image, network)
    sizes = []

    def decide(part):
        sizes.append(part.shape[1])
        return part.argmax(0, keepdim=True).to(torch.uint8)

    labels = VolumeInferer(ROI, decide=decide)(image, network)
    assert labels.dtype == torch.uint8 and torch.equal(labels[0, 0], logits[0].argmax(0).to(torch.uint8))
    assert sum(sizes) == 20 and max(sizes) < 20


def test_a_spacing_needs_an_image_that_knows_its_own(network):
    with pytest.raises(ValueError, match="expected a MetaTensor"):
        VolumeInferer(ROI, (1, 1, 1))(torch.zeros(1, 1, 8, 16, 16), network)
    with pytest.raises(ValueError, match="found a batch of 2"):
        VolumeInferer(ROI)(torch.zeros(2, 1, 8, 16, 16), network)
