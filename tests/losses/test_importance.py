"""Importance maps: a loop of the formula, extremes, gradients, and what they keep for the backward."""

import pytest
import torch

from medkd.losses._importance import importance_map
from tests.losses.reference import sample, unit


@pytest.mark.parametrize("p", [1, 2, 3, 4])
def test_equals_the_loop(p):
    feature = sample(2, 3, 2, 4)
    expected = [unit([sum(abs(v) ** p for v in x) for x in image.flatten(1).T.tolist()]) for image in feature]
    torch.testing.assert_close(importance_map(feature, p), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("p", [1, 2, 3, 4])
@pytest.mark.parametrize("scale", [1e-12, 1e4, 1e9])
def test_the_scale_of_the_features_cancels_in_float32(scale, p):
    feature = sample(1, 3, 4, 4).float()
    torch.testing.assert_close(importance_map(scale * feature, p), importance_map(feature, p))


@pytest.mark.parametrize("p", [0.5, 1, 2, 4])
def test_an_empty_map_stays_zero_with_a_finite_gradient(p):
    feature = torch.zeros(2, 2, 3, 3)
    feature[1, 0, 1:] = 1.0  # the other image has empty positions alone
    importance = importance_map(feature.requires_grad_(), p)
    importance[:, 0].sum().backward()
    assert importance[0].abs().sum() == 0 and torch.isfinite(feature.grad).all()


@pytest.mark.parametrize("p", [1, 2, 3, 4])
def test_gradient_is_the_derivative(p):
    assert torch.autograd.gradcheck(lambda f: importance_map(f, p), sample(2, 3, 2, 4).requires_grad_())


@pytest.mark.parametrize("p", [2, 4])
def test_the_features_alone_are_kept_for_the_backward(p):
    feature, kept = sample(2, 64, 8, 8).requires_grad_(), {}
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.setdefault(x.data_ptr(), x), lambda x: x):
        importance_map(feature, p)
    assert sum(x.numel() for x in kept.values()) < 1.1 * feature.numel()
