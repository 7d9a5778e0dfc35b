"""Two processes: a step has the gradient of one process with the joined batch, for every method that is a mean over images."""

import copy

import pytest
import torch
from monai.data import DataLoader
from monai.losses import DiceCELoss
from torch import distributed

from medkd import methods
from medkd.correction import TeacherTeam
from medkd.engines import DistillationTrainer
from medkd.networks import FeatureTaps, ResNetFCN, UNetPlusPlus
from medkd.plckd import norm_layers

# What is no mean over images, and why; each still trains. (A mean over the images that hold all classes, emkd's, is exact
# where all of them do, as here; so is what plckd corrects within an image.)
EXCEPTIONS = {
    "cirkd": "its memory draws anchors and keys at random (the image pairs are exact: below)",
    "dist": "correlates the pixels of each class over the whole batch",
    "hifd": "adaptive weights are quotients of means over the batch (weighting uniform is exact: below)",
    "skd": "the discriminator's batch norm sees the images of its process",
    "spkd": "relates the images of a batch to each other: those of a process (a grid's cells too)",
}
EXACT = {
    **{name: (name, {}) for name in methods.names() if name not in EXCEPTIONS},
    "pseudo": ("pseudo", {"labelled": True}),  # all images have labels
    "imf": ("imf", {"norm": "instance"}),  # batch norm would see the images of its process
    "cirkd, image pairs": ("cirkd", {"pixel": 0.0, "region": 0.0}),
    "hifd, uniform": ("hifd", {"weighting": "uniform"}),
    "hlfd without predictions": ("hlfd", {"lambda_": 0.0}),  # heads that nothing reads
}
CASES = {**EXACT, **{f"not {name}": (name, {}) for name in EXCEPTIONS}}
# which of the four images have labels: all processes, one, or only one process has some
FLAGS = {"uneven": (True, True, False, True), "in one process": (False, True, False, True)}
UNLABELLED = {f"{name}, {flags}": (name, flags) for name in ("kd", "fitnet", "plckd") for flags in FLAGS}
STEPS = {
    "one": {},
    "accumulated": {"accumulation_steps": 2},
    "clipped": {"clip_norm": 1e-3},
    "channels last": {"width": 16},  # narrower students stay contiguous
}


def items(method):
    """Four images of noise with labels of noise: a random teacher is right, and wrong, in each class of each."""
    edge = (
        64 if method in ("skd", "imf", "dcd") else 32
    )  # for a discriminator, and a norm or a wavelet of more than one pixel
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(4, 1, edge, edge, generator=generator, dtype=torch.float64)
    labels = (torch.rand(4, 1, edge, edge, generator=generator) > 0.5).long()
    return [{"image": image, "label": label} for image, label in zip(images, labels, strict=True)]


def tapped(network):
    taps = FeatureTaps(network, **network.default_taps())
    assert taps.shapes  # the dry forward is in float32
    return taps.double()


def guide(method, args):
    torch.manual_seed(5)
    teacher = tapped(UNetPlusPlus(2, 1, 2, width=2, deep_supervision=True))
    with torch.no_grad():  # both classes in every image
        logits = teacher.network.eval()(torch.stack([item["image"] for item in items(method)]))
        teacher.network.head.bias[1] += (logits[:, 0] - logits[:, 1]).median()
    arguments = methods.team_arguments(method, args)
    if arguments is None:
        return teacher, teacher
    for role in ("false_pixel", "boundary"):
        if arguments.pop(role, False):
            arguments[role] = copy.deepcopy(teacher.network)
            arguments[role].head.bias.data[1] += 0.1 if role == "boundary" else -0.1
    return teacher, TeacherTeam(teacher, **arguments)


def learn(method, args, batches, seed=0, width=4, **options):
    """What a run of plain gradient descent changed, at learning rate 1: minus the gradient, of student and adaptors."""
    teacher, team = guide(method, args)
    torch.manual_seed(seed)
    student = tapped(ResNetFCN(2, 1, 2, width=width))
    loss = methods.build(method, DiceCELoss(softmax=True, to_onehot_y=True), student, teacher, args).double()
    parameters = [*student.parameters(), *loss.adaptors()]
    trainer = DistillationTrainer(
        device="cpu",
        max_epochs=1,
        train_data_loader=batches,
        student=student,
        optimizer=torch.optim.SGD(parameters, lr=1.0),
        loss=loss,
        teacher=team,
        eval_modules=norm_layers(student),
        **options,
    )
    before = [parameter.detach().clone() for parameter in parameters]
    trainer.run()
    return [(new - old).detach() for new, old in zip(parameters, before, strict=True)], float(
        trainer.state.metrics["loss"]
    )


def batches(method, rank, size=2):
    return DataLoader(items(method)[rank::2], batch_size=size)


def work(rank, port, results):
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    # students of another seed in the second process: that of the first is taken
    found = {name: learn(*case, batches(case[0], rank), seed=rank) for name, case in CASES.items()}
    for name, options in STEPS.items():
        size = 2 // options.get("accumulation_steps", 1)
        found[name] = learn("fitnet", {}, batches("fitnet", rank, size), seed=rank, **options)
    for name, (method, flags) in UNLABELLED.items():
        found[name] = learn(method, {}, DataLoader(flagged(method, flags)[rank::2], batch_size=2), seed=rank)
    results.put((rank, {name: ([p.tolist() for p in change], loss) for name, (change, loss) in found.items()}))
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(two_processes):
    return [found for _, found in two_processes(work)]


def flagged(method, flags):
    return [{**item, "labelled": flag} for item, flag in zip(items(method), FLAGS[flags], strict=True)]


def learn_joined(method, args, **options):
    return learn(method, args, DataLoader(items(method), batch_size=4), **options)


def relative_difference(change, expected):
    """Largest difference, as a share of the largest change."""
    pairs = [(torch.tensor(a, dtype=torch.float64), b) for a, b in zip(change, expected, strict=True)]
    return float(max((a - b).abs().max() for a, b in pairs) / max(b.abs().max() for _, b in pairs))


def test_all_methods_are_here():
    assert {method for method, _ in CASES.values()} == set(methods.names())


@pytest.mark.filterwarnings("ignore:DKDLoss")
@pytest.mark.parametrize("name", EXACT)
def test_the_gradient_is_that_of_the_joined_batch(ranks, name):
    expected, loss = learn_joined(*EXACT[name])
    for found in ranks:
        change, mean = found[name]
        assert relative_difference(change, expected) < 1e-6
        assert mean == pytest.approx(loss, rel=1e-6)


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_the_exceptions_differ_but_all_processes_learn_the_same(ranks, name):
    (first, loss), (second, _) = (found[f"not {name}"] for found in ranks)
    assert first == second
    assert loss == loss and all(torch.tensor(change).isfinite().all() for change in first)
    expected, _ = learn_joined(name, {})
    assert relative_difference(first, expected) > 1e-6


@pytest.mark.parametrize("name", STEPS)
def test_kinds_of_steps(ranks, name):
    expected, _ = learn_joined("fitnet", {}, **{k: v for k, v in STEPS[name].items() if k in ("clip_norm", "width")})
    for found in ranks:
        assert relative_difference(found[name][0], expected) < 1e-6


@pytest.mark.parametrize("name", UNLABELLED)
def test_unlabelled_images_of_any_process(ranks, name):
    method, flags = UNLABELLED[name]
    expected, loss = learn(method, {}, DataLoader(flagged(method, flags), batch_size=4))
    for found in ranks:
        change, mean = found[name]
        assert relative_difference(change, expected) < 1e-6
        assert mean == pytest.approx(loss, rel=1e-6)
