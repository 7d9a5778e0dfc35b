"""What every distillation loss owes: precision, gradients, extremes, 2-D and 3-D alike."""

import pytest
import torch

from medkd.losses import CombinedLoss, HLFDLoss, KDLoss
from medkd.networks import Features


def features(dims, seed, channels=(3, 4, 5, 6), batch=2, dtype=torch.float32, depth=None, scale=1.0):
    """Random taps at strides 1 to 8 of a non-square, odd-sized image, with two maps."""
    generator = torch.Generator().manual_seed(seed)
    size = (17, 23) if dims == 2 else (depth or 9, 17, 23)

    def draw(count, stride):
        edges = [max(1, edge // stride) for edge in size]
        return (scale * torch.randn(batch, count, *edges, generator=generator)).to(dtype)

    encoder = tuple(draw(c, 2**i) for i, c in enumerate(channels))
    return Features(draw(2, 1), encoder, maps=(draw(2, 1), draw(2, 2)))


def build(name, dims):
    torch.manual_seed(0)
    loss = {"kd": lambda: KDLoss(), "hlfd": lambda: HLFDLoss(dims, (3, 4, 5, 6), 2)}[name]()
    return (lambda s, t: loss(s.logits, t.logits), loss) if name == "kd" else (loss, loss)


NAMES = ("kd", "hlfd")


def mapped(f, change):
    return Features(*(tuple(change(x) for x in part) if isinstance(part, tuple) else change(part) for part in f))


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", NAMES)
class TestContract:
    def test_half_precision_gives_a_float32_scalar_near_the_full_one(self, name, dims):
        value, _ = build(name, dims)
        student, teacher = features(dims, 0), features(dims, 1)
        full = value(student, teacher)
        for dtype in (torch.bfloat16, torch.float16):
            half = value(mapped(student, lambda x: x.to(dtype)), mapped(teacher, lambda x: x.to(dtype)))  # noqa: B023
            assert half.dtype == torch.float32 and half.shape == ()
            torch.testing.assert_close(half, full, rtol=0.02, atol=1e-4)

    def test_autocast_changes_nothing(self, name, dims):
        value, _ = build(name, dims)
        student, teacher = features(dims, 0), features(dims, 1)
        full = value(student, teacher)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            torch.testing.assert_close(value(student, teacher), full, rtol=0, atol=0)

    def test_only_the_student_gets_gradients(self, name, dims):
        value, loss = build(name, dims)
        student, teacher = (mapped(features(dims, seed), lambda x: x.requires_grad_()) for seed in (0, 1))
        value(student, teacher).backward()
        used = student.encoder[:-1] if name == "hlfd" else (student.logits,)
        assert all(x.grad is not None and x.grad.abs().sum() > 0 for x in used)
        assert all(x.grad is None for x in (teacher.logits, *teacher.encoder, *teacher.maps))
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in loss.parameters())

    def test_extreme_values_stay_finite(self, name, dims):
        value, _ = build(name, dims)
        for scale in (0.0, 1e-6, 1e4):
            student, teacher = features(dims, 0, scale=scale), features(dims, 1, scale=scale)
            student = mapped(student, lambda x: x.requires_grad_())
            result = value(student, teacher)
            assert torch.isfinite(result)
            result.backward()
            grads = [x.grad for x in (student.logits, *student.encoder) if x.grad is not None]
            assert grads and all(torch.isfinite(g).all() for g in grads)

    def test_repeating_the_batch_keeps_the_mean(self, name, dims):
        value, _ = build(name, dims)
        student, teacher = features(dims, 0), features(dims, 1)
        twice = value(*(mapped(f, lambda x: torch.cat([x, x])) for f in (student, teacher)))
        torch.testing.assert_close(twice, value(student, teacher), rtol=1e-5, atol=1e-6)

    def test_arguments_are_not_changed(self, name, dims):
        value, _ = build(name, dims)
        student, teacher = features(dims, 0), features(dims, 1)
        value(student, teacher)
        for before, after in ((features(dims, 0), student), (features(dims, 1), teacher)):
            for x, y in zip((before.logits, *before.encoder), (after.logits, *after.encoder), strict=True):
                assert torch.equal(x, y)


@pytest.mark.parametrize("name", NAMES)
def test_depth_one_in_3d_equals_2d(name):
    flat, flat_loss = build(name, 2)
    deep, deep_loss = build(name, 3)
    for a, b in zip(flat_loss.parameters(), deep_loss.parameters(), strict=True):
        b.data.copy_(a.data.reshape(b.shape))
    student, teacher = features(2, 0), features(2, 1)
    torch.testing.assert_close(
        deep(*(mapped(f, lambda x: x[:, :, None]) for f in (student, teacher))),
        flat(student, teacher),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_compiles_without_graph_break(name):
    value, loss = build(name, 2)
    student, teacher = features(2, 0), features(2, 1)
    arguments = (student.logits, teacher.logits) if name == "kd" else (student, teacher)
    compiled = torch.compile(loss, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(*arguments), value(student, teacher))


def test_combined_compiles_to_the_same_value():
    loss = CombinedLoss(lambda z, y: z.mean(), {"kd": {"loss": KDLoss(), "weight": 1.0, "tap": "logits"}})
    student, teacher = features(2, 0), features(2, 1)
    expected = student.logits.mean() + KDLoss()(student.logits, teacher.logits)
    torch.testing.assert_close(loss(student, teacher, torch.zeros(2, 1, 17, 23)), expected)
