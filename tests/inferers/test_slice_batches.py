"""Batch by batch, the same values as MONAI's inferer over all slices, bit for bit."""

from functools import partial

import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SliceInferer

from medkd.inferers import SliceBatchInferer
from medkd.metrics import logits_to_labels

ROI = (16, 24)


@pytest.fixture
def network():
    torch.manual_seed(0)
    # batch norm in training mode sees which windows met in a batch
    return torch.nn.Sequential(torch.nn.Conv2d(1, 3, 5, padding=2), torch.nn.BatchNorm2d(3)).requires_grad_(False)


@pytest.mark.parametrize("batch", [1, 4, 50])
@pytest.mark.parametrize("shape", [(13, 16, 24), (1, 16, 24), (5, 9, 7), (9, 40, 31), (6, 33, 11), (8, 7, 60)])
def test_it_is_monais_slice_inferer(network, shape, batch):
    image = torch.randn(1, 1, *shape)
    theirs = SliceInferer(spatial_dim=0, roi_size=ROI, sw_batch_size=batch, cval=-1, mode="gaussian")(image, network)
    ours = SliceBatchInferer(ROI, batch)(image, network)
    assert torch.equal(ours, theirs)
    labels = SliceBatchInferer(ROI, batch, decide=logits_to_labels)(image, network)
    assert labels.dtype == torch.uint8 and torch.equal(labels[0], logits_to_labels(theirs[0]))


def test_decisions_are_made_batch_by_batch_for_each_volume(network):
    image, shapes = torch.randn(2, 1, 11, 16, 24), []

    def decide(logits):
        shapes.append(tuple(logits.shape))
        return logits_to_labels(logits)

    labels = SliceBatchInferer(ROI, 4, decide=decide)(image, network)
    logits = [SliceBatchInferer(ROI, 4)(image[:, :, start : start + 4], network) for start in (0, 4, 8)]
    assert torch.equal(labels, torch.cat(logits, dim=2).argmax(1, keepdim=True).to(torch.uint8))
    assert shapes == [(3, 4, 16, 24)] * 4 + [(3, 3, 16, 24)] * 2


def test_meta_data_and_a_protocol_of_its_own(network):
    image = MetaTensor(torch.randn(1, 1, 5, 20, 30), affine=torch.diag(torch.tensor([3.0, 1, 2, 1])))
    two = torch.nn.Sequential(network, torch.nn.Conv2d(3, 2, 1)).requires_grad_(False)
    labels = SliceBatchInferer(ROI, 2, decide=partial(logits_to_labels, protocol="hlfd"))(image, two)
    logits = SliceBatchInferer(ROI, 2)(image, two)
    assert torch.equal(labels.affine, image.affine) and labels.shape == image.shape
    assert torch.equal(labels[0].as_tensor(), logits_to_labels(logits[0].as_tensor(), "hlfd"))
