"""Every method on a batch of labelled and unlabelled images: who reads labels, and of which images a value is the mean."""

import pytest
import torch
from monai.losses import DiceCELoss
from torch import nn

from medkd import methods
from medkd.networks import FeatureTaps, ResNetFCN, UNetPlusPlus

TAUGHT = [name for name in methods.names() if name != "none"]
# values that relate the images of a batch to each other, and are no means over images
JOINT = {"cirkd", "dist", "hifd", "spkd"}
LABELLED = torch.tensor([1, 3])


def test_every_method_with_a_teacher_uses_unlabelled_images():
    assert [name for name in methods.names() if methods.has_terms(name)] == TAUGHT


def tapped(network):
    return FeatureTaps(network, **network.default_taps()).eval()


@pytest.fixture(scope="module")
def batch():
    """Tapped networks, and their maps of four images; the teacher decides for both classes in each."""
    torch.manual_seed(0)
    student = tapped(ResNetFCN(2, 1, 2, width=4))
    teacher = tapped(UNetPlusPlus(2, 1, 2, width=2, deep_supervision=True))
    image = torch.rand(4, 1, 64, 64)
    with torch.no_grad():
        logits = teacher(image).logits
        teacher.network.head.bias[1] += (logits[:, 0] - logits[:, 1]).median()
        return student, teacher, student(image), teacher(image), (torch.rand(4, 1, 64, 64) > 0.5).long()


def build(name, student, teacher, task=None):
    torch.manual_seed(1)
    loss = methods.build(name, task or DiceCELoss(softmax=True, to_onehot_y=True), student, teacher, {"warmup": 0})
    for module in loss.modules():  # norms of a batch are no matter of labels
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    return loss


def values(loss, *args, **kwargs):
    torch.manual_seed(2)  # anchors and keys of a memory
    loss(*args, **kwargs)
    return {name: float(value) for name, value in loss.values.items()}


def of_images(features, chosen):
    def part(value):
        return value[chosen] if isinstance(value, torch.Tensor) else tuple(map(part, value))

    return type(features)(*map(part, features))


@pytest.mark.filterwarnings("ignore:DKDLoss")
@pytest.mark.parametrize("name", TAUGHT)
def test_the_task_sees_labelled_images_and_nothing_reads_a_placeholder(batch, name):
    student, teacher, maps, guide, target = batch
    seen = []

    def task(logits, labels):
        seen.append((logits, labels))
        return logits.mean()

    results = []
    for placeholder in (0, 7):
        labels = target.clone()
        labels[[0, 2]] = placeholder
        results.append(values(build(name, student, teacher, task), maps, guide, labels, labelled=LABELLED))
    assert results[0] == results[1]
    per_call = len(seen) // 2  # pseudo calls the task loss a second time, on the others
    for logits, labels in seen[::per_call]:
        assert torch.equal(logits, maps.logits[LABELLED]) and torch.equal(labels, target[LABELLED])


@pytest.mark.filterwarnings("ignore:DKDLoss")
@pytest.mark.parametrize("name", TAUGHT)
def test_terms_are_those_of_labels_that_the_teacher_completes(batch, name):
    student, teacher, maps, guide, target = batch
    completed = guide.logits.argmax(1, keepdim=True)
    completed[LABELLED] = target[LABELLED]
    if any(getattr(loss, "reads_labelled", False) for loss in build(name, student, teacher).losses.values()):
        pytest.skip("chooses its images by their labels")
    mixed = values(build(name, student, teacher), maps, guide, target, labelled=LABELLED)
    whole = values(build(name, student, teacher), maps, guide, completed)
    for term in mixed.keys() - {"task"}:
        assert mixed[term] == whole[term]


@pytest.mark.filterwarnings("ignore:DKDLoss")
@pytest.mark.parametrize("name", [name for name in TAUGHT if name not in JOINT])
def test_each_term_is_the_mean_over_all_images(batch, name):
    student, teacher, maps, guide, target = batch
    loss = build(name, student, teacher)
    if any(getattr(part, "reads_labelled", False) for part in loss.losses.values()):
        pytest.skip("chooses its images by their labels")
    both = values(loss, maps, guide, target, labelled=LABELLED)
    halves = [
        values(loss, of_images(maps, half), of_images(guide, half), target[half], labelled=torch.tensor([1]))
        for half in (slice(0, 2), slice(2, 4))
    ]
    for term in both.keys() - {"task"}:
        assert both[term] == pytest.approx(sum(half[term] for half in halves) / 2, rel=1e-4, abs=1e-7)


@pytest.mark.filterwarnings("ignore:DKDLoss")
@pytest.mark.parametrize("name", TAUGHT)
def test_a_batch_without_a_label(batch, name):
    student, teacher, _, guide, target = batch
    maps = student(torch.rand(4, 1, 64, 64))
    loss = build(name, student, teacher)
    student.zero_grad()
    loss(maps, guide, target, labelled=torch.tensor([], dtype=torch.long)).backward()
    assert loss.values["task"] == 0
    gradients = [p.grad for p in student.parameters() if p.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert any(gradient.abs().sum() > 0 for gradient in gradients)


@pytest.mark.filterwarnings("ignore:DKDLoss")
@pytest.mark.parametrize("name", TAUGHT)
def test_without_a_label_only_terms_on_logits_train_the_last_layer(batch, name):
    student, teacher, maps, guide, target = batch
    loss = build(name, student, teacher)
    logits = maps.logits.detach().requires_grad_()
    total = loss(maps._replace(logits=logits), guide, target, labelled=torch.tensor([], dtype=torch.long))
    (gradient,) = torch.autograd.grad(total, [logits], materialize_grads=True)
    is_taught = bool(gradient.abs().sum() > 0)
    assert loss.teaches_logits == is_taught
    methods.check_logits(name, loss, labelled=1, unlabelled=9)
    if is_taught:
        methods.check_logits(name, loss, labelled=0, unlabelled=9)
    else:  # `recommended` is HLFD for this student
        assert name in ("dcd", "hifd", "hlfd", "imf", "recommended")
        with pytest.raises(ValueError, match=f"method {name}: found no label, and terms on feature maps alone"):
            methods.check_logits(name, loss, labelled=0, unlabelled=9)


def test_a_weight_of_zero_teaches_nothing(batch):
    student, teacher, *_ = batch
    loss = methods.build("at", DiceCELoss(softmax=True), student, teacher, {"kd_weight": 0.0})
    assert not loss.teaches_logits
    methods.check_logits("a loss of another library", nn.Module(), labelled=0, unlabelled=9)
