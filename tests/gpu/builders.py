"""Small trainers, equal on every device: networks, data and losses are built on the CPU and then moved."""

import pytest
import torch
from ignite.engine import Events
from monai.data import DataLoader
from monai.losses import DiceCELoss
from monai.networks.utils import eval_mode

from medkd import methods
from medkd.correction import TeacherTeam
from medkd.engines import DistillationTrainer
from medkd.networks import FeatureTaps, ResNetFCN, UNetPlusPlus
from medkd.plckd import norm_layers

CUDA = pytest.param("cuda", marks=pytest.mark.gpu, id="cuda")
DEVICES = ["cpu", CUDA]
# float16 overflows from 65504 on: the scaler's own start, 65536, would leave the first steps out
INITIAL_SCALE = 256.0
# what is random in a method, or chooses the nearest of many, is left out: devices draw other numbers, and round otherwise
DETERMINISTIC = {"cirkd": {"pixel": 0.0, "region": 0.0}, "plckd": {"similarity": False}, "pseudo": {"labelled": True}}


def tapped(network):
    return FeatureTaps(network, **network.default_taps())


def batches(count, edge=64, size=2, dims=2, **options):
    generator = torch.Generator().manual_seed(3)
    shape = (count * size, 1, *[edge] * dims)
    images, labels = torch.rand(shape, generator=generator), torch.rand(shape, generator=generator) > 0.5
    items = [{"image": image, "label": label.long()} for image, label in zip(images, labels, strict=True)]
    return DataLoader(items, batch_size=size, **options)


def networks(dims=2, width=4):
    """Return a student and a teacher that decides for both classes, tapped."""
    torch.manual_seed(0)
    student, teacher = (
        tapped(ResNetFCN(dims, 1, 2, width=width)),
        tapped(UNetPlusPlus(dims, 1, 2, width=width, deep_supervision=True)),
    )
    assert student.shapes and teacher.shapes  # found by a dry forward on the CPU
    with torch.no_grad(), eval_mode(teacher.network):
        logits = teacher.network(torch.rand(2, 1, *[32] * dims))
        teacher.network.head.bias[1] += (logits[:, 0] - logits[:, 1]).median()
    return student, teacher


def guide(method, teacher):
    """Return the teacher that a method needs. The assistants of a team are the teacher itself."""
    team = methods.team_arguments(method, DETERMINISTIC.get(method))
    if team is None:
        return None if method == "none" else teacher
    assistants = {role: teacher.network for role in ("false_pixel", "boundary") if team.pop(role, False)}
    return TeacherTeam(teacher, **assistants, **team)


def make(
    method, device, precision="float32", count=1, adam=False, width=4, clip_norm=None, fixed_norms=True, **options
):
    """Return a trainer on a device: plain gradient descent at rate 1, or the optimizer of the bundles.

    The statistics of a batch of noise amplify rounding: batch norms are fixed where gradients are compared.
    """
    student, teacher = networks(width=width)
    loss = methods.build(
        method, DiceCELoss(softmax=True, to_onehot_y=True), student, teacher, DETERMINISTIC.get(method)
    )
    for module in (student, teacher, loss):
        module.to(device)
    parameters = [*student.parameters(), *loss.adaptors()]
    on_cuda = torch.device(device).type == "cuda"
    optimizer = torch.optim.Adam(parameters, fused=on_cuda) if adam else torch.optim.SGD(parameters, lr=1.0)
    half = {"amp": True, "amp_kwargs": {"dtype": getattr(torch, precision)}} if precision != "float32" else {}
    options = {"max_epochs": 1, "train_data_loader": batches(count, pin_memory=on_cuda), **half, **options}
    trainer = DistillationTrainer(
        device=device,
        student=student,
        optimizer=optimizer,
        loss=loss,
        teacher=guide(method, teacher),
        clip_norm=clip_norm,
        eval_modules=norm_layers(student) if fixed_norms else (),
        **options,
    )
    trainer.add_event_handler(Events.STARTED, _start_low)
    return trainer


def _start_low(trainer):
    if trainer.scaler is not None:
        trainer.scaler = torch.amp.GradScaler("cuda", init_scale=INITIAL_SCALE)


def state_vector(trainer):
    """Return the student's parameters as one vector on the CPU."""
    return torch.cat([value.detach().flatten().cpu() for value in trainer.network.parameters()])


def deviation(value, reference):
    """Return the L2 norm of the difference, relative to the reference."""
    return float((value - reference).norm() / reference.norm())
