"""The chain from T to the ultimate soft labels: what holds for any outputs of the networks."""

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medkd.correction import correct_by_similarity, correct_soft_labels, is_correct

from .builders import count_incorrect, make_case, make_pixels

SHAPES = st.tuples(
    st.integers(0, 10_000),
    st.integers(2, 4),
    st.sampled_from([(5, 6), (1, 1), (3, 4, 2)]),
    st.sampled_from([0.0, 0.1, 2.0, 40.0]),
)


@settings(max_examples=60, deadline=None)
@given(SHAPES)
def test_properties_of_the_chain(shape):
    seed, classes, size, sharp = shape
    t, f, b, phi, y = make_case(seed, classes, size, sharp=sharp)
    labels = correct_soft_labels(t, y, f, b, phi)
    assert torch.equal(labels.initial, t)
    assert torch.equal(labels.ultimate.argmax(1, keepdim=True), y)
    counts = [count_incorrect(stage, y) for stage in labels]
    assert counts == sorted(counts, reverse=True) and counts[-1] == 0
    correct = is_correct(t, y).expand_as(t)
    for stage in labels:
        assert torch.equal(stage[correct], t[correct])
        torch.testing.assert_close(stage.sum(1), torch.ones_like(stage[:, 0]))
        assert (stage >= 0).all()


def test_by_hand():
    # the label is 1 everywhere: right, fixed by TA_f, fixed by TA_b, hard
    y = torch.ones(1, 1, 1, 4, dtype=torch.long)
    t = make_pixels([0.2, 0.8], [0.7, 0.3], [0.6, 0.4], [0.9, 0.1])
    f = make_pixels([0.9, 0.1], [0.4, 0.6], [0.8, 0.2], [0.7, 0.3])
    b = make_pixels([0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.6, 0.4])
    phi = make_pixels([1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.1, 1.0])
    labels = correct_soft_labels(t, y, f, b, phi)
    torch.testing.assert_close(labels.false_pixel, make_pixels([0.2, 0.8], [0.4, 0.6], [0.6, 0.4], [0.9, 0.1]))
    torch.testing.assert_close(labels.boundary, make_pixels([0.2, 0.8], [0.4, 0.6], [0.1, 0.9], [0.9, 0.1]))
    # (0.1, 1) is most like (0, 1), the second pixel
    torch.testing.assert_close(labels.ultimate, make_pixels([0.2, 0.8], [0.4, 0.6], [0.1, 0.9], [0.4, 0.6]))


def test_every_row_of_the_ablation_differs():
    t, f, b, phi, y = make_case(3, size=(12, 12), sharp=1.0)
    rows = {
        "T": correct_soft_labels(t, y, similarity=False),
        "T+SC": correct_soft_labels(t, y, embedding=phi),
        "T+TA_f": correct_soft_labels(t, y, f, similarity=False),
        "T+TA_b": correct_soft_labels(t, y, None, b, similarity=False),
        "T+TA_f+TA_b": correct_soft_labels(t, y, f, b, similarity=False),
        "all": correct_soft_labels(t, y, f, b, phi),
    }
    ends = {name: labels.ultimate for name, labels in rows.items()}
    for name, end in ends.items():
        assert all(not torch.equal(end, other) for key, other in ends.items() if key != name)
    assert torch.equal(ends["T"], t)
    assert (
        count_incorrect(ends["T+SC"], y)
        == count_incorrect(ends["all"], y)
        == 0
        < count_incorrect(ends["T+TA_f+TA_b"], y)
        < count_incorrect(ends["T+TA_f"], y)
    )


def test_no_gradient_flows_and_inputs_stay():
    t, f, b, phi, y = make_case(1)
    before = [x.clone() for x in (t, f, b, phi, y)]
    assert not correct_soft_labels(t.requires_grad_(), y, f, b, phi).ultimate.requires_grad
    assert all(torch.equal(x, old) for x, old in zip((t, f, b, phi, y), before, strict=True))


def test_mixed_precision_changes_nothing():
    t, f, b, phi, y = make_case(7)
    plain = correct_soft_labels(t, y, f, b, phi).ultimate
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(correct_soft_labels(t, y, f, b, phi).ultimate, plain)
        many = torch.randn(2, 12, 5, 6)
        correct_soft_labels(t, y, f, b, many)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": torch.zeros(2, 1, 5, 5)}, r"label \(2, 1, 5, 5\) does not fit the probabilities \(2, 2, 5, 6\)"),
        (
            {"false_pixel": torch.zeros(2, 3, 5, 6)},
            r"found false_pixel \(2, 3, 5, 6\), expected the teacher's \(2, 2, 5, 6\)",
        ),
        (
            {"embedding": torch.zeros(1, 3, 5, 6)},
            r"embedding \(1, 3, 5, 6\) does not fit the probabilities \(2, 2, 5, 6\)",
        ),
    ],
)
def test_shapes_are_checked(change, message):
    t, f, b, phi, y = make_case(0)
    arguments = {"teacher": t, "label": y, "false_pixel": f, "boundary": b, "embedding": phi, **change}
    with pytest.raises(ValueError, match=message):
        correct_soft_labels(**arguments)


def test_fallbacks_in_order_and_counted():
    # image 0: class 1 wholly missed; image 1 has it right once. Class 2 is right nowhere.
    t = torch.tensor([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1], [0.6, 0.3, 0.1]]).T.reshape(1, 3, 1, 3)
    other = torch.tensor([[0.1, 0.8, 0.1], [0.9, 0.05, 0.05], [0.8, 0.1, 0.1]]).T.reshape(1, 3, 1, 3)
    y = torch.tensor([[0, 1, 2], [1, 0, 1]]).reshape(2, 1, 1, 3)
    tally = Counter()
    both = torch.cat([t, other])
    fixed = correct_by_similarity(both, torch.randn(2, 2, 1, 3), y, tally=tally)
    assert tally == {"batch": 1, "swap": 1, "image": 1}
    torch.testing.assert_close(fixed[0, :, 0, 1], other[0, :, 0, 0])  # from the other image
    torch.testing.assert_close(fixed[0, :, 0, 2], torch.tensor([0.1, 0.3, 0.6]))  # its own two values
    torch.testing.assert_close(fixed[1, :, 0, 2], other[0, :, 0, 0])
    assert torch.equal(fixed.argmax(1, keepdim=True), y)
