"""Methods with a state of their own go on exactly: queues, a discriminator with its optimizer, growing weights."""

import copy

import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.losses import DiceCELoss
from torch.utils.data import RandomSampler

from medkd import methods
from medkd.data import epoch_indices, mixed_sampler
from medkd.engines import DistillationTrainer
from medkd.networks import FeatureTaps, UNet, UNetPlusPlus
from medkd.runs.resume import ResumableRun


def tapped(network):
    return FeatureTaps(network, **network.default_taps())


def train(path, method, epochs, resume=False, unlabelled=False, **args):
    """A run from a fixed start; returns everything that learned."""
    torch.manual_seed(0)
    student, teacher = tapped(UNet(2, 1, 2, width=2)), tapped(UNetPlusPlus(2, 1, 2, width=2, deep_supervision=True))
    loss = methods.build(method, DiceCELoss(softmax=True, to_onehot_y=True), student, teacher, args)
    optimizer = torch.optim.Adam([*student.parameters(), *loss.adaptors()], lr=0.01)
    images = torch.rand(4, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    items = [{"image": image, "label": (image > 0.5).long()} for image in images]
    if unlabelled:
        data = Dataset([{**item, "labelled": number < 3} for number, item in enumerate(items)])
        loader = DataLoader(data, batch_size=2, sampler=mixed_sampler(RandomSampler(epoch_indices(data)), data, 2, 0.5))
    else:
        loader = DataLoader(Dataset(items), batch_size=2, shuffle=True)
    trainer = DistillationTrainer("cpu", epochs, loader, student, optimizer, loss, teacher)
    objects = {"network": student.network, "loss": loss, "optimizer": optimizer}
    ResumableRun(path, objects, seed=0).run(trainer, resume)
    return copy.deepcopy({name: item.state_dict() for name, item in objects.items()}), dict(loss.weights)


@pytest.mark.filterwarnings("ignore:DKDLoss")
@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("skd", {}),
        ("cirkd", {"pixel_queue": 40, "region_queue": 3}),
        ("fitnet", {"hint_epochs": 1}),
        ("dkd", {"warmup": 4}),
        ("cirkd", {"pixel_queue": 40, "region_queue": 3, "unlabelled": True}),
    ],
)
def test_stopped_and_resumed_equals_uninterrupted(tmp_path, method, args):
    whole = train(tmp_path / "whole.pt", method, 3, **args)
    train(tmp_path / "broken.pt", method, 1, **args)
    resumed = train(tmp_path / "broken.pt", method, 3, resume=True, **args)
    torch.testing.assert_close(resumed, whole, rtol=0, atol=0)
