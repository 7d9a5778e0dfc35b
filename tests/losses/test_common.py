"""The functions that all losses share: checks, precision, resizing, divergence, importance maps."""

import pytest
import torch
from torch.nn import functional as F

from medkd.losses import _common
from medkd.networks import Features
from tests.losses.reference import divergence, sample


def maps(*shapes):
    return [torch.zeros(shape) for shape in shapes]


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: _common.check_positive("L", p=4, temperature=0), "L: temperature must be positive, found 0"),
        (lambda: _common.check_positive("L", p=float("nan")), "L: p must be positive, found nan"),
        (
            lambda: _common.check_same_shape("L", *maps((1, 2, 4), (1, 2, 5))),
            r"L: student \(1, 2, 4\) and teacher \(1, 2, 5\) must have the same shape",
        ),
        (lambda: _common.check_num_classes("L", 1), "L: num_classes 1 found, expected 2 or more"),
        (
            lambda: _common.check_classes("L", torch.zeros(1, 1, 4, 4)),
            r"L: logits \(1, 1, 4, 4\) have one channel: write a sigmoid head z as \[0, z\]",
        ),
        (
            lambda: _common.check_same_batch("L", *maps((2, 3, 4, 4), (1, 3, 4, 4))),
            r"L: student \(2, 3, 4, 4\) and teacher \(1, 3, 4, 4\) must have the same batch size and number of axes",
        ),
        (
            lambda: _common.check_same_batch("L", *maps((2, 3, 4, 4), (2, 3, 4, 4, 4))),
            "must have the same batch size and number of axes",
        ),
        (
            lambda: _common.check_axes("L", 2, *maps((1, 2, 4, 4), (1, 2, 4, 4, 4))),
            r"L: student \(1, 2, 4, 4\) and teacher \(1, 2, 4, 4, 4\) must have 2 spatial axes",
        ),
        (
            lambda: _common.check_channels("L", 2, (3, 4), *maps((1, 4, 2, 2), (1, 3, 2, 2))),
            r"L: student \(1, 4, 2, 2\) and teacher \(1, 3, 2, 2\) must have 3 and 4 channels",
        ),
    ],
)
def test_checks_name_the_loss_and_what_they_found(check, message):
    with pytest.raises(ValueError, match=message):
        check()


def test_checks_accept_what_fits():
    student, teacher = maps((2, 3, 4, 4), (2, 5, 8, 8))
    _common.check_positive("L", p=1e-9)
    _common.check_num_classes("L", 2)
    _common.check_classes("L", student)
    _common.check_same_shape("L", student, student)
    _common.check_channels("L", 2, (3, 5), student, teacher)
    pair = Features(student[:, :2], (student,)), Features(teacher[:, :2], (teacher,))
    _common.check_features("L", *pair, channels=(3,), late_channels=5, num_classes=2)


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"channels": (4,)}, r"L: student encoder channels \(3,\) and student_channels \(4,\)"),
        ({"late_channels": 6}, r"L: teacher encoder channels \(5,\), expected 6 at the end"),
        (
            {"num_classes": 3},
            r"L: student \(2, 2, 4, 4\) and teacher \(2, 2, 8, 8\) logits, expected 3 classes",
        ),
    ],
)
def test_features_that_do_not_fit_are_refused(expected, message):
    student, teacher = maps((2, 3, 4, 4), (2, 5, 8, 8))
    pair = Features(student[:, :2], (student,)), Features(teacher[:, :2], (teacher,))
    with pytest.raises(ValueError, match=message):
        _common.check_features("L", *pair, **{"channels": (3,), "late_channels": 5, "num_classes": 2, **expected})


def test_a_teacher_without_encoder_taps_is_refused():
    student = torch.zeros(2, 3, 4, 4)
    pair = Features(student[:, :2], (student,)), Features(student[:, :2])
    with pytest.raises(ValueError, match=r"L: teacher encoder channels \(\), expected 5 at the end"):
        _common.check_features("L", *pair, channels=(3,), late_channels=5, num_classes=2)


def test_last_channels_are_those_of_the_bottleneck():
    assert _common.last_channels((3, 4, 5)) == 5 == _common.last_channels(5)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_half_precision_alone_is_converted(dtype, expected):
    assert _common.full_precision(torch.ones(1, dtype=dtype)).dtype == expected


def test_no_autocast_keeps_products_in_float32():
    x = torch.rand(2, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (x @ x).dtype == torch.bfloat16
        with _common.no_autocast(x):
            assert (x @ x).dtype == torch.float32


def test_smallest_size_is_taken_axis_by_axis():
    assert _common.smallest_size(maps((1, 2, 4, 9), (1, 3, 8, 6), (1, 1, 5, 7))) == (4, 6)


@pytest.mark.parametrize(("size", "mode"), [((6, 3), "bilinear"), ((6, 3, 4), "trilinear")])
def test_resize_does_not_align_corners(size, mode):
    feature = sample(2, 3, *[4] * len(size))
    expected = F.interpolate(feature, size=size, mode=mode, align_corners=False)
    assert torch.equal(_common.resize(feature, list(size)), expected)
    assert _common.resize(feature, feature.shape[2:]) is feature


@pytest.mark.parametrize("dims", [2, 3])
def test_adaptive_pools(dims):
    feature = torch.arange(4.0**dims).reshape(1, 1, *[4] * dims)
    blocks = feature[0, 0].reshape(*[2, 2] * dims)
    inner = tuple(range(1, 2 * dims, 2))
    assert torch.equal(_common.adaptive_avg_pool(feature, 2)[0, 0], blocks.mean(dim=inner))
    assert torch.equal(_common.adaptive_max_pool(feature, [2] * dims)[0, 0], blocks.amax(dim=inner))


class TestOneHot:
    def test_labels_are_resized_by_nearest(self):
        target = torch.tensor([[[[0, 1, 2, 2], [1, 1, 1, 1], [2, 0, 0, 0], [0, 0, 0, 0]]]])
        hot = _common.one_hot_at("L", target, torch.zeros(1, 7, 2, 2, dtype=torch.float64), 3)
        assert hot.shape == (1, 3, 4) and hot.dtype == torch.float64
        assert hot.argmax(1).tolist() == [[0, 2, 2, 0]] and torch.equal(hot.sum(1), torch.ones_like(hot[:, 0]))

    def test_a_label_of_no_class_is_zero_everywhere(self):
        hot = _common.one_hot_at("L", torch.full((1, 1, 2, 2), 5), torch.zeros(1, 1, 2, 2), 2)
        assert hot.abs().sum() == 0

    @pytest.mark.parametrize("shape", [(2, 1, 4, 4), (1, 2, 4, 4), (1, 1, 4, 4, 4)])
    def test_a_target_that_does_not_fit_is_refused(self, shape):
        with pytest.raises(ValueError, match=r"L: target \(.*\) does not fit the map \(1, 3, 2, 2\), expected \(N, 1,"):
            _common.one_hot_at("L", torch.zeros(shape), torch.zeros(1, 3, 2, 2), 2)

    def test_a_missing_target_is_named(self):
        with pytest.raises(ValueError, match="L: needs a target, found None"):
            _common.one_hot_at("L", None, torch.zeros(1, 3, 2, 2), 2)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_tempered_kl_equals_the_loop(temperature):
    student, teacher = sample(2, 3, 2, 4), sample(2, 3, 2, 4, seed=1)
    value = _common.tempered_kl(student, F.log_softmax(teacher / temperature, dim=1), temperature)
    assert value.item() == pytest.approx(divergence(student, teacher, temperature), rel=1e-9)


class TestStandardizeLogits:
    def test_equals_the_unbiased_deviation(self):
        logits = sample(2, 4, 3, 5)
        expected = (logits - logits.mean(1, keepdim=True)) / (logits.std(1, keepdim=True) + 1e-7)
        torch.testing.assert_close(_common.standardize_logits(logits), expected, rtol=1e-12, atol=0)

    def test_equal_logits_have_a_gradient_of_zeros(self):
        logits = torch.ones(1, 4, 2, 2, requires_grad=True)
        _common.standardize_logits(logits).square().sum().backward()
        assert logits.grad.abs().max() == 0


def test_l2_norm_is_that_of_torch_and_has_a_finite_gradient_at_zero():
    x = sample(2, 3, 4)
    for dim in (1, (0, 2)):
        torch.testing.assert_close(_common.l2_norm(x, dim), torch.linalg.vector_norm(x, dim=dim), rtol=1e-14, atol=0)
    zeros = torch.zeros(2, 3, requires_grad=True)
    (_common.l2_norm(zeros, 1).sum() / 1e-12).backward()
    assert zeros.grad.abs().max() == 0
