"""No step waits for a GPU, seen on the device "meta": every method, the assistants' batches, the handlers of a training."""

import contextlib

import pytest
import torch
from ignite.engine import Events
from monai.data import DataLoader, MetaTensor
from monai.losses import DiceCELoss
from torch import nn
from torch.nn import functional as F

from medkd import methods
from medkd.correction import FalsePixelQueue, TeacherTeam
from medkd.engines import DistillationTrainer
from medkd.handlers import ConsoleProgress, TensorBoardRecord
from medkd.losses import CombinedLoss, DeepSupervisionLoss, FocalDiceLoss
from medkd.losses.taps import tap_pair
from medkd.networks import FeatureTaps
from medkd.plckd import BoundaryBatches, FalsePixelBatches
from tests.losses.test_contract import LOSSES, features, labels, mapped

from .host_sync import META, HostSync, no_host_sync, without_autocast


class Small(nn.Module):
    """Four encoder stages, two decoder stages, one auxiliary head: torch computes shapes on "meta" slowly."""

    def __init__(self):
        super().__init__()
        stages = [(1, 4, 1), (4, 4, 2), (4, 4, 2), (4, 8, 2)]
        self.encoder = nn.ModuleList(nn.Conv2d(*channels, 3, stride, padding=1) for *channels, stride in stages)
        self.decoder = nn.ModuleList([nn.ConvTranspose2d(8, 4, 4, 4), nn.ConvTranspose2d(4, 4, 2, 2)])
        self.heads = nn.ModuleList([nn.Conv2d(4, 2, 1), nn.Conv2d(4, 2, 1)])

    def forward(self, image):
        for stage in self.encoder:
            image = stage(image).relu()
        image = self.decoder[0](image).relu()
        self.heads[0](image)
        return self.heads[1](self.decoder[1](image).relu())


def tapped():
    encoder, decoder = [f"encoder.{i}" for i in range(4)], [f"decoder.{i}" for i in range(2)]
    return FeatureTaps(Small(), encoder, decoder, ["heads.0"])


@pytest.fixture(autouse=True)
def _meta_autocast():
    with without_autocast():
        yield


@pytest.fixture(scope="module")
def networks():
    """Student and teacher on "meta". Their channels are found on the CPU."""
    student, teacher = tapped(), tapped()
    assert student.shapes and teacher.shapes
    return student.to(META), teacher.to(META)


def batches(labelled=None, steps=2):
    item = {"image": MetaTensor(torch.rand(1, 64, 64)), "label": MetaTensor(torch.ones(1, 64, 64))}
    items = [item if labelled is None else {**item, "labelled": labelled(i)} for i in range(2 * steps)]
    return DataLoader(items, batch_size=2)


def train(student, loss, teacher=None, loader=None, **options):
    """Train for some steps; only the first may copy constants to the device."""
    loss.to(META)
    for part in loss.losses.values():
        if hasattr(part, "optimizer"):  # that of a discriminator: its fused steps exist for real devices
            part.optimizer = torch.optim.SGD(part.discriminator.parameters(), lr=0.1)
    optimizer = torch.optim.SGD([*student.parameters(), *loss.adaptors()], lr=0.1)
    trainer = DistillationTrainer(META, 1, loader or batches(), student, optimizer, loss, teacher, **options)
    strict, steps = contextlib.ExitStack(), []
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=1), lambda: strict.enter_context(no_host_sync()))
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: steps.append(1))
    # at the end of an epoch, values are read
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=2), trainer.terminate)
    with strict:
        trainer.run()
    assert len(steps) == 2
    return trainer


def build(method, networks, args=None, task=None):
    return methods.build(method, task or DiceCELoss(softmax=True, to_onehot_y=True), *networks, args)


@pytest.mark.filterwarnings("ignore:DKDLoss")
@pytest.mark.parametrize("method", methods.names())
def test_a_step_of_no_method_waits(networks, method):
    student, teacher = networks
    loss = build(method, networks, {"labelled": True} if method == "pseudo" else None)
    if (team := methods.team_arguments(method)) is not None:  # the similarity correction waits, by intention
        members = {} if team.get("swap") else {"false_pixel": teacher.network, "boundary": teacher.network}
        teacher = TeacherTeam(teacher, **members, similarity=False, swap=team.get("swap", False))
    train(student, loss, None if method == "none" else teacher)


@pytest.mark.parametrize("method", ["kd", "ifvd", "pseudo"])
def test_unlabelled_images_do_not_wait(networks, method):
    loss = build(method, networks, task=FocalDiceLoss())
    train(networks[0], loss, networks[1], batches(labelled=lambda i: i % 2 == 0))


def test_neither_a_teacher_nor_the_handlers_wait(networks, tmp_path):
    task = FocalDiceLoss()
    terms = {"deep_supervision": {"tap": "features", "weight": 1.0, "loss": DeepSupervisionLoss(task)}}
    handlers = [ConsoleProgress(), TensorBoardRecord(tmp_path)]
    student = networks[1].requires_grad_(True)
    train(student, CombinedLoss(task, terms), train_handlers=handlers, accumulation_steps=2, clip_norm=1.0)
    assert list(tmp_path.glob("events*"))  # the record is open, and has waited for nothing


@pytest.mark.parametrize("kind", ["boundary", "false pixels"])
def test_batches_of_the_assistants_do_not_wait(networks, kind):
    queue = FalsePixelQueue(1, 2, 64).to(META)
    make = BoundaryBatches() if kind == "boundary" else FalsePixelBatches(networks[1].network, queue)
    with torch.no_grad(), no_host_sync():
        make(next(iter(batches())), META, non_blocking=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", LOSSES)
def test_no_loss_waits_in_3d(name):
    make, tap = LOSSES[name]
    loss = make(3).to(META)
    student, teacher = (mapped(features(3, seed), lambda x: x.to(META)) for seed in (0, 1))
    student = mapped(student, lambda x: x.requires_grad_())
    target = labels(student.logits)
    loss(*tap_pair(student, teacher, tap), target.to(META))  # constants
    with no_host_sync():
        loss(*tap_pair(student, teacher, tap), target.to(META, non_blocking=True)).backward()


WAITS = {
    "item": lambda x, mask: x.sum().item(),
    "bool": lambda x, mask: bool(mask.any()),
    "int": lambda x, mask: range(int(x.sum())),
    "copy to the host": lambda x, mask: x.cpu(),
    "list": lambda x, mask: x.tolist(),
    "nonzero": lambda x, mask: mask.nonzero(),
    "where": lambda x, mask: torch.where(mask),
    "mask": lambda x, mask: x[mask],
    "masked_select": lambda x, mask: x.masked_select(mask),
    "mask written": lambda x, mask: x.index_put_((mask,), x[0]),
    "index of the host": lambda x, mask: x[[0, 1]],
    "unique": lambda x, mask: x.unique(),
    "repeat_interleave": lambda x, mask: x.repeat_interleave(mask.long()),
    "one_hot": lambda x, mask: F.one_hot(mask.long()),
    "constant": lambda x, mask: x * torch.tensor([1.0, 2.0, 3.0], device=x.device),
    "new_tensor": lambda x, mask: x.new_tensor([1.0, 2.0]),
    "copy to the device": lambda x, mask: x + torch.ones(3).to(x.device),
    "copy into": lambda x, mask: x.copy_(torch.ones(3)),
}


@pytest.mark.parametrize("kind", WAITS)
def test_what_waits_is_found(kind):
    x = torch.ones(3, device=META)
    with no_host_sync(), pytest.raises((HostSync, RuntimeError, NotImplementedError, ValueError)):
        WAITS[kind](x, x > 0)


def test_what_does_not_wait_is_allowed():
    x = torch.ones(3, device=META)
    with no_host_sync():
        x[torch.arange(2, device=META)], torch.where(x > 0, x, 0.0), x.masked_fill(x > 0, 1.0), x[0], x[None, ..., :2]
        torch.ones(3).to(META, non_blocking=True), torch.zeros(3, device=META), torch.full((2,), 3.0, device=META)
