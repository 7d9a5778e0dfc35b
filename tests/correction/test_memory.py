"""The memory of correct probabilities: means by hand, correct for their class, used when a whole batch has none."""

from collections import Counter

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medkd.correction import CorrectMemory, correct_by_similarity

from .builders import make_pixels


def test_means_by_hand():
    memory = CorrectMemory()
    label = torch.tensor([0, 0, 1, 1])[None, None, None]
    memory.update(make_pixels([0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.6, 0.4]), label)  # the last one is wrong
    torch.testing.assert_close(memory.rows, torch.tensor([[0.8, 0.2], [0.2, 0.8]]))
    memory.update(
        make_pixels([0.6, 0.4], [0.6, 0.4], [0.9, 0.1], [0.9, 0.1]), label
    )  # nothing right of class 1: it stays
    torch.testing.assert_close(memory.rows, torch.tensor([[0.78, 0.22], [0.2, 0.8]]))
    memory.forget()
    assert memory.rows is None


def test_a_mean_of_millions_is_a_mean():
    memory = CorrectMemory()
    p = torch.tensor([0.9, 0.1])[None, :, None].expand(1, 2, 2**23)[..., None]
    memory.update(p, torch.zeros(1, 1, 2**23, 1, dtype=torch.long))
    torch.testing.assert_close(memory.rows[0], torch.tensor([0.9, 0.1]), rtol=0, atol=1e-6)


def test_an_incorrect_row_is_not_used():
    p, label = make_pixels([0.7, 0.3]), torch.ones(1, 1, 1, 1, dtype=torch.long)
    tie = torch.tensor([[0.9, 0.1], [0.5, 0.5]])
    torch.testing.assert_close(correct_by_similarity(p, p, label, memory=tie), make_pixels([0.3, 0.7]))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4))
def test_a_filled_row_is_correct_for_its_class(seed, classes):
    draw, memory = torch.Generator().manual_seed(seed), CorrectMemory()
    for _ in range(3):
        p = torch.softmax(torch.randn(2, classes, 3, 3, generator=draw), 1)
        memory.update(p, torch.randint(0, classes, (2, 1, 3, 3), generator=draw))
    for k, row in enumerate(memory.rows):
        if row.sum() > 0:
            assert row.argmax() == k
            torch.testing.assert_close(row.sum(), torch.tensor(1.0))


def test_the_memory_comes_after_image_and_batch_and_before_the_swap():
    label = torch.tensor([0, 0, 1, 2])[None, None, None]
    p = make_pixels([0.8, 0.1, 0.1], [0.3, 0.4, 0.3], [0.6, 0.3, 0.1], [0.5, 0.3, 0.2])
    memory = torch.tensor([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.0, 0.0, 0.0]])
    tally = Counter()
    result = correct_by_similarity(p, p, label, tally=tally, memory=memory)
    expected = make_pixels([0.8, 0.1, 0.1], [0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.2, 0.3, 0.5])
    torch.testing.assert_close(result, expected)
    assert tally == {"image": 1, "memory": 1, "swap": 1}
