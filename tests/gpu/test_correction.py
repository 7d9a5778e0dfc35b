"""PLC-KD on a GPU: the similarity correction, the pixels that make an assistant's images, the exchanged boundary."""

import pytest
import torch

from medkd.correction import FalsePixelQueue, boundary_transform, correct_by_similarity, false_pixel_images, is_correct

from .builders import DEVICES


@pytest.fixture
def batch():
    """Probabilities (2, 3, 24, 24), embedding, labels: a third of the pixels is correct."""
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.randn(2, 3, 24, 24, generator=generator).softmax(dim=1)
    return probabilities, torch.randn(2, 16, 24, 24, generator=generator), torch.randint(0, 3, (2, 1, 24, 24))


@pytest.mark.parametrize("device", DEVICES)
def test_the_similarity_correction_takes_the_same_pixels(device, batch):
    expected, corrected = correct_by_similarity(*batch), correct_by_similarity(*(x.to(device) for x in batch)).cpu()
    assert is_correct(corrected, batch[2]).all()
    # two candidates may be equally near but for rounding
    assert (corrected == expected).all(dim=1).float().mean() > 0.999


@pytest.mark.parametrize("device", DEVICES)
def test_images_of_the_assistants(device, batch):
    image, label = batch[0][:, :1].to(device), (batch[2] > 0).long().to(device)
    exchanged = boundary_transform(image, label, width=2, num_classes=2)
    assert torch.equal(exchanged.flatten().sort().values, image.flatten().sort().values)  # the same pixels
    queue = FalsePixelQueue(1, 2, 64).to(device)
    queue.push(image, label, 1 - label, 32)
    synthetic, masks = false_pixel_images(queue, label)
    assert queue.filled.min() > 0 and synthetic.device == image.device and torch.equal(masks, label)
