"""The divergences of pixel similarities against loops of the formulas, and values by hand."""

import math

import pytest
import torch

from medkd.losses._similarity import contrast_divergence, image_pair_divergence
from tests.losses.reference import dot, kl, sample, softmax, unit_vectors


def contrast_loop(student, teacher, keys, temperature):
    total = 0.0
    for x_s, x_t in zip(student, teacher, strict=True):
        total += kl(*(softmax([dot(x, key) / temperature for key in keys]) for x in (x_t, x_s)))
    return total / len(student)


def test_image_pairs_equal_the_loop():
    # the columns of a row are the nodes of one image j: each image's nodes are the keys of all images' rows
    x_s, x_t = unit_vectors(sample(2, 3, 4, 1)), unit_vectors(sample(2, 5, 4, 1, seed=1))
    total = 0.0
    for i in range(2):
        for j in range(2):
            for a in range(4):
                p, q = (softmax([dot(x[i][a], column) / 0.3 for column in x[j]]) for x in (x_t, x_s))
                total += kl(p, q) / 16
    tensors = (torch.tensor(x, dtype=torch.float64) for x in (x_s, x_t))
    value = image_pair_divergence(*tensors, 0.3)
    assert total > 0.1 and value.item() == pytest.approx(total, rel=1e-9)


def test_contrast_equals_the_loop_over_valid_keys():
    student, teacher, keys = (unit_vectors(sample(1, 3, n, 1, seed=n))[0] for n in (4, 4, 6))
    student = student[::-1]
    valid = [True, False, True, True, False, True]
    expected = contrast_loop(student, teacher, [key for key, flag in zip(keys, valid, strict=True) if flag], 0.3)
    tensors = (torch.tensor(x, dtype=torch.float64) for x in (student, teacher, keys))
    value = contrast_divergence(*tensors, torch.tensor(valid), 0.3)
    assert expected > 0.1 and value.item() == pytest.approx(expected, rel=1e-9)


def test_contrast_by_hand():
    # T = 1 / ln 3, keys e1, e2: the teacher's anchor e1 gives (3/4, 1/4), the student's diagonal (1/2, 1/2)
    s, t = torch.tensor([[0.5**0.5, 0.5**0.5]]), torch.tensor([[1.0, 0.0]])
    value = contrast_divergence(s, t, torch.eye(2), torch.tensor([True, True]), 1 / math.log(3.0))
    assert value.item() == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5), rel=1e-5)


def test_contrast_without_a_valid_key_is_zero_with_a_finite_gradient():
    student = torch.tensor([[0.6, 0.8]], requires_grad=True)
    value = contrast_divergence(student, torch.tensor([[1.0, 0.0]]), torch.eye(2), torch.tensor([False, False]), 0.1)
    value.backward()
    assert value.item() == 0 and torch.isfinite(student.grad).all()
