"""IMF: its documented reconstruction against loops, the attentive logit, and values by hand."""

import math

import pytest
import torch
from torch.nn import functional as F

from medkd.losses import IMFLoss
from medkd.networks import Features
from tests.losses.reference import divergence, labels, resized, softmax

CHANNELS = (3, 4, 5)


def pair(dims=2, classes=3, batch=2, edges=(4, 2, 1), late=2, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)

    def sample(channels, edge):
        return torch.randn(batch, channels, *[edge] * dims, generator=generator, dtype=dtype)

    student = Features(sample(classes, 8), tuple(sample(c, e) for c, e in zip(CHANNELS, edges, strict=True)))
    return student, Features(sample(classes, 8), (sample(2, 8), sample(6, late)))


def build(dims=2, classes=3, seed=0, **options):
    """Build a loss in eval mode, with statistics, attention and affine parameters that are not those of a new module."""
    torch.manual_seed(seed)
    loss = IMFLoss(dims, CHANNELS, (2, 6), classes, **options).double().eval()
    loss.attention.data.normal_()
    for branch in loss.branches:
        norm = branch[2]
        for x in (norm.running_mean, norm.weight.data, norm.bias.data):
            x.normal_()
        norm.running_var.uniform_(0.5, 2.0)
    return loss


def branch_loop(branch, x):
    """Depthwise 3x3 with zeros around, 1x1, batch norm by its statistics, ReLU; one pixel after the other."""
    deep, point, norm, _ = branch
    n, c, height, width = x.shape
    padded, result = F.pad(x, (1, 1, 1, 1)), torch.empty(n, point.out_channels, height, width, dtype=x.dtype)
    for i in range(height):
        for j in range(width):
            depthwise = (padded[:, :, i : i + 3, j : j + 3] * deep.weight[:, 0]).sum((2, 3))
            y = depthwise @ point.weight.flatten(1).T
            y = (y - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
            result[:, :, i, j] = y.clamp_min(0)
    return result


def merged_loop(loss, maps, size):
    """z~: each branch's predictions brought to size, weighted for each class."""
    ups = []
    for head, h in zip(loss.heads, maps, strict=True):
        low = torch.einsum("kc,nchw->nkhw", head.weight.flatten(1), h) + head.bias.reshape(-1, 1, 1)
        ups.append(low if low.shape[2:] == size else resized(low, size))
    total = torch.zeros_like(ups[0])
    for k in range(loss.num_classes):
        for weight, up in zip(softmax(loss.attention[:, k].tolist()), ups, strict=True):
            total[:, k] += weight * up[:, k]
    return total


def parts(loss, s, t, temperature, sizes):
    """Prediction and features, unweighted, and z~; sizes of the branches' maps."""
    late, maps, features = t.encoder[-1], [], 0.0
    for branch, stage, size in zip(loss.branches, s.encoder, sizes, strict=True):
        h = branch_loop(branch, stage if stage.shape[2:] == size else F.avg_pool2d(stage, stage.shape[-1] // size[-1]))
        maps.append(h)
        difference = h - (late if late.shape[2:] == size else resized(late, size))
        features += sum(v * v for v in difference.flatten().tolist()) / difference.numel()
    merged = merged_loop(loss, maps, (8, 8)).detach()
    return divergence(merged, t.logits, temperature), features, merged


@pytest.mark.parametrize(
    ("edges", "sizes"),
    [((4, 2, 1), ((4, 4), (2, 2), (1, 1))), ((8, 8, 4), ((4, 4), (4, 4), (4, 4)))],  # at most twice the late map
)
@pytest.mark.parametrize("temperature", [4.0, 1.0])
@torch.no_grad()
def test_loop(edges, sizes, temperature):
    s, t = pair(edges=edges)
    loss = build(alpha=2.0, beta=0.3, temperature=temperature)
    prediction, features, _ = parts(loss, s, t, temperature, sizes)
    assert loss(s, t).item() == pytest.approx(2 * prediction + 0.3 * features, rel=1e-9)


@torch.no_grad()
def test_components_are_unweighted():
    s, t = pair()
    loss = build(alpha=2.0, beta=0.3)
    prediction, features, merged = parts(loss, s, t, 4.0, ((4, 4), (2, 2), (1, 1)))
    loss(s, t, labels(2, 1, 8, 8, classes=3))
    assert loss.components["task"].item() == pytest.approx(
        loss.task(merged, labels(2, 1, 8, 8, classes=3)).item(), rel=1e-9
    )
    components = {name: loss.components[name].item() for name in ("prediction", "features")}
    assert components == pytest.approx({"prediction": prediction, "features": features}, rel=1e-9)


@torch.no_grad()
def test_supervised_part_is_cross_entropy_and_dice_of_the_attentive_logit():
    (s, t), y, loss = pair(), labels(2, 1, 8, 8, classes=3), build()
    *_, merged = parts(loss, s, t, 4.0, ((4, 4), (2, 2), (1, 1)))
    entropy, dice = 0.0, 0.0
    for z, label in zip(merged.flatten(2), y.flatten(1).tolist(), strict=True):
        rows = [softmax(row) for row in z.T.tolist()]
        entropy -= sum(math.log(p[k]) for p, k in zip(rows, label, strict=True)) / 128
        for k in range(3):
            both = sum(p[k] for p, pixel_class in zip(rows, label, strict=True) if pixel_class == k)
            dice += (1 - (2 * both + 1e-5) / (sum(p[k] for p in rows) + label.count(k) + 1e-5)) / 6
    assert (loss(s, t, y) - loss(s, t)).item() == pytest.approx(entropy + dice, rel=1e-6)


def test_a_task_of_the_caller_gets_the_attentive_logit_and_the_target():
    (s, t), y, calls = pair(), labels(2, 1, 8, 8, classes=3), []
    loss = build(task=lambda z, target: calls.append((z, target)) or 7 + 0 * z.sum())
    assert (loss(s, t, y) - loss(s, t)).item() == pytest.approx(7, rel=1e-9)
    ((z, target),) = calls
    assert z.shape == (2, 3, 8, 8) and target is y


def test_by_hand():
    # centre tap 1, then 2: relu(2 * 1.5) = 3 against 1, squared 4; a head of (ln 3, 0) against an even teacher, T = 1
    loss = IMFLoss(2, (1,), 1, 2, alpha=3.0, beta=0.5, temperature=1.0).double().eval()
    deep, point, norm, _ = loss.branches[0]
    deep.weight.data.zero_()[..., 1, 1] = 1.0
    point.weight.data.fill_(2.0)
    norm.eps = 0.0
    loss.heads[0].weight.data.zero_()
    loss.heads[0].bias.data.copy_(torch.tensor([math.log(3.0), 0.0], dtype=torch.float64))
    one = torch.ones(1, 1, 2, 2, dtype=torch.float64)
    even = torch.zeros(1, 2, 4, 4, dtype=torch.float64)
    expected = 3 * (0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)) + 0.5 * 4
    assert loss(Features(even, (1.5 * one,)), Features(even, (one,))).item() == pytest.approx(expected, rel=1e-9)


def test_attention_chooses_for_each_class():
    loss = build()
    maps = [torch.randn(1, 6, 4, 4, dtype=torch.float64) for _ in CHANNELS]
    loss.attention.data.fill_(0.0)
    each = torch.stack([head(h) for head, h in zip(loss.heads, maps, strict=True)])
    torch.testing.assert_close(loss.attentive_logit(maps, (4, 4)), each.mean(0))
    for k, j in enumerate((2, 0, 1)):  # class k listens to branch j alone
        loss.attention.data[j, k] = 50.0
    expected = torch.stack([each[2, :, 0], each[0, :, 1], each[1, :, 2]], dim=1)
    torch.testing.assert_close(loss.attentive_logit(maps, (4, 4)), expected)
    assert torch.equal(IMFLoss(2, CHANNELS, 6, 3).attention, torch.zeros(3, 3))


def test_all_parameters_and_stages_learn_the_teacher_does_not():
    s, t = (Features(f.logits.requires_grad_(), tuple(e.requires_grad_() for e in f.encoder)) for f in pair(batch=4))
    loss = build().train()
    loss(s, t).backward()
    assert all(p.grad.abs().sum() > 0 for p in loss.parameters())
    assert sum(p.numel() for p in loss.branches[0].parameters()) == 3 * 9 + 3 * 6 + 2 * 6
    assert all(e.grad.abs().sum() > 0 for e in s.encoder)
    assert all(x.grad is None for x in (t.logits, *t.encoder))


def test_depth_one_in_3d_equals_2d():
    # all stages as fine as the late map, so that nothing is pooled; the depthwise 3x3x3 holds the 3x3 in its middle
    flat, deep = build(), build(3)
    for (name, a), b in zip(flat.state_dict().items(), deep.state_dict().values(), strict=True):
        if name.endswith(".0.weight") and "branches" in name:
            b.zero_()[:, :, 1].copy_(a)
        else:
            b.copy_(a.reshape(b.shape))
    (s, t), y = pair(edges=(2, 2, 2)), labels(2, 1, 8, 8, classes=3)
    thin = (Features(f.logits[:, :, None], tuple(e[:, :, None] for e in f.encoder)) for f in (s, t))
    torch.testing.assert_close(deep(*thin, y[:, :, None]), flat(s, t, y))


@pytest.mark.parametrize("scale", [0.0, 1e-4, 1e4])
def test_extremes_are_finite(scale):
    loss = build().float().train()
    s, t = (
        Features(scale * f.logits, tuple((scale * e).requires_grad_() for e in f.encoder))
        for f in pair(batch=4, dtype=torch.float32)
    )
    value = loss(s, t, labels(4, 1, 8, 8, classes=3))
    value.backward()
    assert torch.isfinite(value) and all(torch.isfinite(e.grad).all() for e in s.encoder)
    assert all(torch.isfinite(p.grad).all() for p in loss.parameters())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: build(temperature=0), "IMFLoss: temperature must be positive, found 0"),
        (
            lambda: IMFLoss(2, (3, 4), 6, 3).double()(*pair()),
            r"IMFLoss: student encoder channels \(3, 4, 5\) and student_channels \(3, 4\)",
        ),
        (
            lambda: IMFLoss(2, CHANNELS, (2, 5), 3).double()(*pair()),
            r"IMFLoss: teacher encoder channels \(2, 6\), expected 5 at the end",
        ),
        (
            lambda: build()(pair()[0], pair(batch=3)[1]),
            r"IMFLoss: student \(2, 3, 4, 4\) and teacher \(3, 6, 2, 2\) must have the same batch size and number",
        ),
        (lambda: build()(pair()[0], pair(3)[1]), "IMFLoss: student .* and teacher .* number of axes"),
        (
            lambda: build(classes=2)(*pair()),
            r"IMFLoss: student \(2, 3, 8, 8\) and teacher \(2, 3, 8, 8\) logits, expected 2 classes",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
