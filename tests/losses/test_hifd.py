"""HIFD: its documented reconstruction against a loop, adaptive and uniform, and values by hand."""

import math

import pytest
import torch

from medkd.losses import HIFDLoss
from medkd.networks import Features
from tests.losses.reference import divergence, importance_distance, resized

CHANNELS = (3, 4, 5, 6)


def pair(dims=2, classes=2, batch=2, dtype=torch.float64):
    """A student at strides 2 to 16 and a teacher at strides 1 to 8 of an image of edge 16."""
    generator = torch.Generator().manual_seed(0)

    def sample(channels, edge):
        return torch.randn(batch, channels, *[edge] * dims, generator=generator, dtype=dtype)

    student = Features(sample(classes, 16), tuple(sample(c, e) for c, e in zip(CHANNELS, (8, 4, 2, 1), strict=True)))
    teacher = Features(
        sample(classes, 16), tuple(sample(c, e) for c, e in zip((2, 3, 5, 7), (16, 8, 4, 2), strict=True))
    )
    return student, teacher


def build(dims=2, classes=2, **options):
    torch.manual_seed(0)
    return HIFDLoss(dims, CHANNELS, 7, classes, **options).double()


def stage_losses(loss, s, t, gamma=1.0, p=4, temperature=4.0):
    late, values = t.encoder[-1], []
    for head, stage in zip(loss.heads, s.encoder[:-1], strict=True):
        z = torch.einsum("kc,nchw->nkhw", head.weight.flatten(1), stage) + head.bias.reshape(-1, 1, 1)
        size = tuple(min(a, b) for a, b in zip(stage.shape[2:], late.shape[2:], strict=True))
        distance = importance_distance(*(f if f.shape[2:] == size else resized(f, size) for f in (stage, late)), p)
        values.append(divergence(resized(z, (16, 16)).detach(), t.logits, temperature) + gamma * distance)
    return values


@pytest.mark.parametrize("options", [{}, {"gamma": 0.3, "p": 2, "temperature": 1.5}])
@pytest.mark.parametrize("classes", [2, 3])
def test_loop(classes, options):
    s, t = pair(classes=classes)
    loss = build(classes=classes, **options)
    each = stage_losses(loss, s, t, **options)
    # w_l = L_l / mean(L): the weighted sum is sum L^2 / mean L
    assert loss(s, t).item() == pytest.approx(sum(v * v for v in each) / (sum(each) / 3), rel=1e-9)
    assert build(classes=classes, weighting="uniform", **options)(s, t).item() == pytest.approx(sum(each), rel=1e-9)


@pytest.mark.parametrize("weighting", ["adaptive", "uniform"])
def test_by_hand(weighting):
    # one stage, so w = 1; head: (3/4, 1/4) everywhere; teacher even; maps active in different places: distance 2
    torch.manual_seed(0)
    loss = HIFDLoss(2, (1, 1), 1, 2, gamma=0.5, temperature=2.0, weighting=weighting)
    loss.heads[0].weight.data.zero_()
    loss.heads[0].bias.data.copy_(torch.tensor([2 * math.log(3.0), 0.0]))
    stage, late = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[0.0, -4.0]]]])
    s, t = (Features(torch.zeros(1, 2, 4, 4), (early, late)) for early in (stage, torch.ones(1, 9, 2, 2)))
    expected = 4 * (0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)) + 0.5 * 2
    assert loss(s, t).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weighting", ["adaptive", "uniform"])
def test_weights_are_constants_to_the_gradient(weighting):
    s, t = pair()
    loss = build(weighting=weighting)
    each = stage_losses(loss, s, t)
    weights = [v / (sum(each) / 3) if weighting == "adaptive" else 1.0 for v in each]
    loss(s, t).backward()
    # each stage alone (w = 1), with its head, through the same formula, times its constant weight
    for i, weight in enumerate(weights):
        alone = HIFDLoss(2, (CHANNELS[i], CHANNELS[-1]), 7, 2, weighting="uniform").double()
        alone.heads[0].load_state_dict(loss.heads[i].state_dict())
        alone(Features(s.logits, (s.encoder[i], s.encoder[-1])), t).backward()
        torch.testing.assert_close(loss.heads[i].weight.grad, weight * alone.heads[0].weight.grad)
    assert max(weights) > 1 or weighting == "uniform"


def test_scale_of_the_maps_does_not_matter_beside_the_heads():
    s, t = pair()
    loss = build()
    for head in loss.heads:
        head.weight.data.zero_()
    small = Features(s.logits, tuple(1e-3 * e for e in s.encoder))
    torch.testing.assert_close(loss(small, t), loss(s, t))


def test_a_student_that_agrees_costs_zero_not_nan():
    # stage and late are the same map, and the head predicts what the teacher does
    loss = build()
    late = torch.ones(1, 7, 2, 2, dtype=torch.float64)
    for head in loss.heads:
        head.weight.data.zero_()
        head.bias.data.zero_()
    maps = tuple(torch.ones(1, c, 2, 2, dtype=torch.float64, requires_grad=True) for c in CHANNELS)
    even = torch.zeros(1, 2, 4, 4, dtype=torch.float64)
    value = loss(Features(even, maps), Features(even, (late,)))
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-12)
    assert all(torch.isfinite(p.grad).all() for p in loss.parameters())


@pytest.mark.parametrize("scale", [0.0, 1e-4, 1e4])
def test_extremes_are_finite(scale):
    s, t = (
        Features(scale * f.logits, tuple((scale * e).detach().requires_grad_() for e in f.encoder))
        for f in pair(dtype=torch.float32)
    )
    loss = build().float()
    value = loss(s, t)
    value.backward()
    assert torch.isfinite(value) and all(torch.isfinite(e.grad).all() for e in s.encoder[:-1])


def test_heads_and_stages_learn_the_bottleneck_and_the_teacher_do_not():
    s, t = (Features(f.logits.requires_grad_(), tuple(e.requires_grad_() for e in f.encoder)) for f in pair())
    loss = build()
    assert [head.weight.shape for head in loss.heads] == [(2, c, 1, 1) for c in CHANNELS[:-1]]
    loss(s, t).backward()
    assert all(p.grad.abs().sum() > 0 for p in loss.parameters())
    assert all(e.grad.abs().sum() > 0 for e in s.encoder[:-1]) and s.encoder[-1].grad is None
    assert all(x.grad is None for x in (t.logits, *t.encoder))


def test_depth_one_in_3d_equals_2d():
    flat, deep = build(), build(3)
    for a, b in zip(flat.parameters(), deep.parameters(), strict=True):
        b.data.copy_(a.data.reshape(b.shape))
    thin = (Features(f.logits[:, :, None], tuple(e[:, :, None] for e in f.encoder)) for f in pair())
    torch.testing.assert_close(deep(*thin), flat(*pair()))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: build(weighting="hard"), "HIFDLoss: weighting must be 'adaptive' or 'uniform', found 'hard'"),
        (lambda: HIFDLoss(2, (3,), 7, 2), "HIFDLoss: needs at least two encoder taps, found 1"),
        (lambda: build(temperature=0), "HIFDLoss: temperature must be positive, found 0"),
        (lambda: build(p=-1), "HIFDLoss: p must be positive, found -1"),
        (
            lambda: build()(Features(pair()[0].logits, pair()[0].encoder[:3]), pair()[1]),
            r"HIFDLoss: student encoder channels \(3, 4, 5\) and student_channels \(3, 4, 5, 6\)",
        ),
        (
            lambda: HIFDLoss(2, CHANNELS, (2, 8), 2).double()(*pair()),
            r"HIFDLoss: teacher encoder channels \(2, 3, 5, 7\), expected 8 at the end",
        ),
        (
            lambda: build()(pair()[0], pair(batch=3)[1]),
            r"HIFDLoss: student \(2, 3, 8, 8\) and teacher \(3, 7, 2, 2\) must have the same batch size",
        ),
        (
            lambda: build()(pair()[0], pair(classes=3)[1]),
            r"HIFDLoss: student \(2, 2, 16, 16\) and teacher \(2, 3, 16, 16\) logits, expected 2 classes",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
