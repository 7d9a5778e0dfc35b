"""Correct pixels, ties, and the swap control."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medkd.correction import correct_soft_labels, is_correct, swap_incorrect

from .builders import count_incorrect, make_case, make_pixels


@pytest.mark.parametrize("classes", [2, 3])
def test_swap_exchanges_two_values_of_incorrect_pixels(classes):
    t, *_, y = make_case(5, classes)
    swapped = swap_incorrect(t, y)
    assert count_incorrect(swapped, y) == 0
    torch.testing.assert_close(swapped.sort(1).values, t.sort(1).values, rtol=0, atol=0)
    correct = is_correct(t, y).expand_as(t)
    assert torch.equal(swapped[correct], t[correct])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4))
def test_ties_of_any_classes_become_correct(seed, classes):
    """Probabilities of few values, where two, three or all classes tie."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.randint(0, 4, (1, classes, 6, 6), generator=generator).float() + 1e-3
    t, y = t / t.sum(1, keepdim=True), torch.randint(0, classes, (1, 1, 6, 6), generator=generator)
    for corrected in (swap_incorrect(t, y), correct_soft_labels(t, y).ultimate):
        assert count_incorrect(corrected, y) == 0 and bool((corrected >= 0).all())
        torch.testing.assert_close(corrected.sum(1), torch.ones(1, 6, 6))


def test_swap_with_a_tie_of_two_other_classes():
    p, y = make_pixels([0.4, 0.4, 0.2]), torch.tensor([2])[None, None, None]
    torch.testing.assert_close(swap_incorrect(p, y), make_pixels([0.2 * 0.999, 0.4 * 0.999, 0.4 * 0.999 + 0.001]))


def test_a_tie_is_incorrect_and_swap_breaks_it():
    tie = torch.full((1, 2, 1, 2), 0.5)
    for k in (0, 1):
        y = torch.full((1, 1, 1, 2), k)
        assert count_incorrect(tie, y) == 2
        assert torch.equal(swap_incorrect(tie, y).argmax(1, keepdim=True), y)
        torch.testing.assert_close(swap_incorrect(tie, y).sum(1), torch.ones(1, 1, 2))
