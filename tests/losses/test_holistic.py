"""The holistic term: values by hand on stubs, where the gradients go, and the discriminator's own step."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from medkd.losses import HolisticLoss
from medkd.losses.holistic import gradient_penalty


class Linear(nn.Module):
    """A stub that scores sum(w x) of each image, w the same everywhere, and keeps its last input."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, *logits):
        self.inputs = [x.detach() for x in logits]
        return tuple((self.weight * x).flatten(1).sum(1).reshape(-1, 1, 1, 1) for x in logits)


def sample(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def build(seed=0, **options):
    torch.manual_seed(seed)
    return HolisticLoss(**{"spatial_dims": 2, "num_classes": 2, **options})


def stubbed(weight, **options):
    loss = build(**options)
    loss.discriminator = Linear(weight)
    return loss


def images(*scores):
    """Logits (N, 2, 64, 64) whose sum is the score."""
    return torch.tensor(scores).reshape(-1, 1, 1, 1).expand(-1, 2, 64, 64) / (2 * 64 * 64)


def weights_of(loss):
    return [p.detach().clone() for p in loss.discriminator.parameters()]


def equal(some, others):
    return all(torch.equal(a, b) for a, b in zip(some, others, strict=True))


class TestValues:
    def test_student_loss_falls_with_its_score(self):
        loss = stubbed(1.0)
        assert loss(images(-2.0, 0.5, 3.0), images(9.0, 9.0, 9.0)).item() == pytest.approx(-0.5, rel=1e-5)

    def test_forward_is_minus_the_mean_score(self):
        loss = build().eval()
        s = sample(2, 2, 96, 64)  # 3 x 1 cells an image
        scores = loss.discriminator(s)[0]
        assert scores.shape == (2, 1, 3, 1)
        torch.testing.assert_close(loss(s, sample(2, 2, 96, 64, seed=1)), -scores.mean())

    def test_hinge_by_hand(self):
        # E[relu(1 - t)] = (0 + 1 + 0.5) / 3, E[relu(1 + s)] = (0 + 1.5 + 3) / 3
        value = stubbed(1.0).discriminator_loss(images(-2.0, 0.5, 2.0), images(3.0, 0.0, 0.5))
        assert value.item() == pytest.approx(0.5 + 1.5, rel=1e-5)

    def test_wasserstein_by_hand(self):
        # 2 * 64 * 64 weights of 3 / sqrt(8192): the gradient's norm is 3, the penalty (3 - 1)^2
        weight = 3 / math.sqrt(8192)
        for penalty in (10.0, 0.5):
            loss = stubbed(weight, mode="wgan-gp", penalty=penalty)
            value = loss.discriminator_loss(images(-2.0, 1.0), images(3.0, 0.0))
            assert value.item() == pytest.approx(weight * (-0.5 - 1.5) + penalty * 4, rel=1e-4)

    def test_penalty_is_taken_between_teacher_and_student_once_an_image(self):
        s, t, stub = sample(3, 2, 4, 4), sample(3, 2, 4, 4, seed=1), Linear(0.5)
        value = gradient_penalty(stub, s, t)
        assert value.item() == pytest.approx((0.5 * math.sqrt(32) - 1) ** 2, rel=1e-5)
        share = ((stub.inputs[0] - s) / (t - s)).flatten(1).double()
        assert (share.amax(1) - share.amin(1)).max() < 1e-2  # one number an image
        middle = share.median(1).values
        assert ((middle > 0) & (middle < 1)).all() and middle.unique().numel() == 3
        value.backward()  # d/dw (sqrt(32) w - 1)^2
        expected = 2 * (0.5 * math.sqrt(32) - 1) * math.sqrt(32)
        assert stub.weight.grad.item() == pytest.approx(expected, rel=1e-5)

    def test_edge_pools_by_the_largest_whole_factor(self):
        s, t = sample(1, 2, 200, 260), sample(1, 2, 200, 260, seed=1)
        loss = stubbed(1.0, edge=64)
        loss(s, t)
        torch.testing.assert_close(loss.discriminator.inputs, [F.avg_pool2d(s, 3)])
        loss.step()  # on the pooled maps as they are
        assert [x.shape for x in loss.discriminator.inputs] == [(1, 2, 66, 86)] * 2
        loss.discriminator_loss(s, t)
        torch.testing.assert_close(loss.discriminator.inputs, [F.avg_pool2d(x, 3) for x in (s, t)])
        whole = stubbed(1.0)
        whole(s, t)
        assert torch.equal(whole.discriminator.inputs[0], s)


class TestGradients:
    @pytest.mark.parametrize("mode", ["hinge", "wgan-gp"])
    def test_student_alone_then_the_discriminator_alone(self, mode):
        loss = build(mode=mode)
        s, t = sample(2, 2, 64, 64).requires_grad_(), sample(2, 2, 64, 64, seed=1).requires_grad_()
        loss(s, t).backward()
        assert all(p.grad is None and p.requires_grad for p in loss.discriminator.parameters())
        assert t.grad is None and s.grad.abs().sum() > 0
        gradient, before = s.grad.clone(), weights_of(loss)
        loss.step()
        assert all(p.grad is None for p in loss.discriminator.parameters())
        assert t.grad is None and torch.equal(s.grad, gradient)
        assert loss.components["discriminator"] > 0 and not loss.components["discriminator"].requires_grad
        after = weights_of(loss)
        # gamma is 0: the attentions' other weights get no gradient yet; in E[s] - E[t] the last bias cancels
        names = [name for name, _ in loss.discriminator.named_parameters()]
        same = [n for n, x, y in zip(names, before, after, strict=True) if torch.equal(x, y)]
        assert all(name == "layers.10.bias" or name.split(".")[2] in ("query", "key", "value") for name in same)
        loss.step()  # no new maps
        assert equal(weights_of(loss), after)

    def test_discriminator_loss_leaves_both_maps_alone(self):
        loss = build()
        s, t = sample(2, 2, 64, 64).requires_grad_(), sample(2, 2, 64, 64, seed=1).requires_grad_()
        loss.discriminator_loss(s, t).backward()
        assert s.grad is None and t.grad is None
        assert loss.discriminator.layers[-1].weight.grad.abs().sum() > 0

    def test_validation_is_not_learned_from(self):
        loss = build()
        s, t = sample(1, 2, 64, 64), sample(1, 2, 64, 64, seed=1)
        loss.eval()(s, t)
        with torch.no_grad():
            loss.train()(s, t)
        before = weights_of(loss)
        loss.step()
        assert equal(weights_of(loss), before)


class TestStep:
    def test_uses_the_last_maps_and_lowers_its_loss(self):
        loss = build()
        s, t = sample(2, 2, 64, 64), 4 * F.interpolate(sample(2, 2, 4, 4, seed=1), size=(64, 64))  # noise against blobs
        values = []
        for _ in range(8):
            loss(t, s)
            loss(s, t)  # the last counts
            loss.step()
            values.append(loss.components["discriminator"].item())
        assert values[-1] < 0.6 * values[0] and min(values) == min(values[4:])

    def test_resumes_bit_for_bit(self):
        loss, other = build(), build(seed=1)
        pairs = [(sample(1, 2, 64, 64, seed=i), sample(1, 2, 64, 64, seed=10 + i)) for i in range(3)]
        for pair in pairs[:2]:
            loss(*pair)
            loss.step()
        other.load_state_dict(copy.deepcopy(loss.state_dict()))
        for one in (loss, other):
            one(*pairs[2])
            one.step()
        assert equal(weights_of(loss), weights_of(other))
        assert equal(loss.discriminator.buffers(), other.discriminator.buffers())

    def test_3d(self):
        loss = build(spatial_dims=3)
        s, t = sample(1, 2, 64, 64, 64).requires_grad_(), sample(1, 2, 64, 64, 64, seed=1)
        value = loss(s, t)
        value.backward()
        before = weights_of(loss)
        loss.step()
        assert torch.isfinite(value) and s.grad.abs().sum() > 0
        assert not equal(weights_of(loss)[-2:], before[-2:])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "gan"}, "HolisticLoss: mode must be 'hinge' or 'wgan-gp', found 'gan'"),
        ({"edge": 63}, "HolisticLoss: edge 63 found, expected at least 64"),
        ({"learning_rate": 0}, "HolisticLoss: learning_rate must be positive, found 0"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


@pytest.mark.parametrize("call", [lambda loss: loss, lambda loss: loss.discriminator_loss])
def test_bad_shapes_name_both(call):
    value = call(stubbed(1.0))
    for student, teacher, message in (
        ((1, 2, 64, 63), (1, 2, 64, 63), r"\(1, 2, 64, 63\) and teacher \(1, 2, 64, 63\) must have 2 .* at least 64"),
        ((1, 3, 64, 64), (1, 3, 64, 64), r"\(1, 3, 64, 64\) and teacher \(1, 3, 64, 64\) must have 2 classes"),
        ((1, 2, 64, 64), (2, 2, 64, 64), r"\(1, 2, 64, 64\) and teacher \(2, 2, 64, 64\) must have the same shape"),
    ):
        with pytest.raises(ValueError, match=f"HolisticLoss: student {message}"):
            value(torch.zeros(student), torch.zeros(teacher))


def test_extremes_are_finite():
    loss = build()
    for scale in (0.0, 1e4):
        s = (scale * sample(2, 2, 64, 64)).requires_grad_()
        value = loss(s, scale * sample(2, 2, 64, 64, seed=1))
        value.backward()
        loss.step()
        assert torch.isfinite(value) and torch.isfinite(s.grad).all()
        assert all(torch.isfinite(w).all() for w in weights_of(loss))
