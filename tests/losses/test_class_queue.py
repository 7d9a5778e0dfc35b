"""The ring of vectors of each class: against a deque for each class."""

from collections import deque

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medkd.losses.class_queue import ClassQueue


def push(queue, *classes):
    """Push vectors of one number each; None is a vector that does not count, written as -1."""
    vectors = torch.tensor([[-1.0 if v is None else v for v in row] for row in classes])[..., None]
    queue.push(
        vectors.expand(-1, -1, queue.slots.shape[2]), torch.tensor([[v is not None for v in r] for r in classes])
    )


def stored(queue):
    """List the valid numbers of each class, sorted."""
    vectors, valid = queue.sample(queue.capacity)
    return [sorted(v[r][:, 0].tolist()) for v, r in zip(vectors, valid, strict=True)]


class TestRing:
    def test_an_empty_queue_has_nothing_valid(self):
        vectors, valid = ClassQueue(2, 4, 3).sample(4)
        assert vectors.shape == (2, 4, 3) and valid.shape == (2, 4)
        assert valid.dtype == torch.bool and not valid.any() and not vectors.any()

    def test_newest_stay_where_pushes_cross_the_end(self):
        queue = ClassQueue(1, 5, 2)
        push(queue, [1, 2, 3])
        assert stored(queue) == [[1, 2, 3]]
        push(queue, [4, 5, 6, 7])  # crosses the end of the ring: 1 and 2 give way
        assert stored(queue) == [[3, 4, 5, 6, 7]]
        push(queue, [8, 9, 10, 11])  # and again
        assert stored(queue) == [[7, 8, 9, 10, 11]]
        push(queue, [12, 13, 14, 15, 16])  # as many as there are slots, from the middle
        assert stored(queue) == [[12, 13, 14, 15, 16]]

    def test_one_slot(self):
        queue = ClassQueue(2, 1, 1)
        for value in (1, 2, 3):
            push(queue, [value], [None])
        assert stored(queue) == [[3], []]

    def test_classes_fill_apart(self):
        queue = ClassQueue(3, 3, 1)
        push(queue, [1, None, 2], [None, None, None], [None, None, 3])
        push(queue, [4, 5, None], [None, None, None], [None, 6, None])
        assert stored(queue) == [[2, 4, 5], [], [3, 6]]
        assert queue.filled.tolist() == [3, 0, 2]

    def test_invalid_vectors_are_never_stored(self):
        queue = ClassQueue(1, 3, 1)
        for values in ([None, 1, None], [None, None, None], [2, None, None], [None, None, 3], [None, 4, None]):
            push(queue, values)
        for count in (1, 2, 3):
            vectors, valid = queue.sample(count)
            assert valid.all() and (vectors > 0).all()
        assert stored(queue) == [[2, 3, 4]]

    def test_whole_vectors_are_stored(self):
        queue = ClassQueue(2, 3, 4)
        vectors = torch.arange(16.0).reshape(2, 2, 4)
        queue.push(vectors, torch.tensor([[True, True], [False, True]]))
        sampled, valid = queue.sample(3)
        assert sorted(sampled[0][valid[0]].tolist()) == vectors[0].tolist()
        assert sampled[1][valid[1]].tolist() == vectors[1, 1:].tolist()

    def test_pushed_vectors_are_copied_without_a_graph(self):
        queue = ClassQueue(1, 2, 1)
        vectors = torch.ones(1, 2, 1, requires_grad=True)
        queue.push(vectors * 2, torch.ones(1, 2, dtype=torch.bool))
        sampled, _ = queue.sample(2)
        sampled.zero_()
        assert stored(queue) == [[2, 2]] and not queue.slots.requires_grad and not sampled.requires_grad


class TestSample:
    @pytest.mark.parametrize(("count", "valid"), [(1, 1), (3, 3), (5, 5), (6, 5), (8, 5), (99, 5)])
    def test_unfilled_slots_come_last_and_are_not_valid(self, count, valid):
        queue = ClassQueue(1, 8, 1)
        push(queue, [1, 2, 3, 4, 5])
        for _ in range(10):
            vectors, flags = queue.sample(count)
            assert vectors.shape == (1, min(count, 8), 1) and flags.sum() == valid
            assert (vectors[flags] > 0).all()

    def test_without_replacement_and_by_chance(self):
        queue = ClassQueue(2, 6, 1)
        push(queue, [1, 2, 3, 4, 5, 6], [11, 12, 13, 14, 15, 16])
        torch.manual_seed(0)
        samples = [queue.sample(3)[0][..., 0] for _ in range(60)]
        assert all(len(set(row.tolist())) == 3 for rows in samples for row in rows)
        for k in range(2):
            sets = {frozenset((row[k] % 10).int().tolist()) for row in samples}
            assert frozenset.union(*sets) == {1, 2, 3, 4, 5, 6} and len(sets) > 5
        assert any((row[0] % 10).sort().values.tolist() != (row[1] % 10).sort().values.tolist() for row in samples)

    def test_state_dict_goes_round(self):
        queue, other = ClassQueue(2, 3, 2), ClassQueue(2, 3, 2)
        push(queue, [1, 2, 3], [None, 5, None])
        push(queue, [4], [None])
        other.load_state_dict({name: x.clone() for name, x in queue.state_dict().items()})
        assert stored(other) == [[2, 3, 4], [5]]
        for one in (queue, other):  # and goes on at the same slot
            push(one, [6, 7], [8, None])
        assert stored(other) == stored(queue) == [[4, 6, 7], [5, 8]]
        assert not list(queue.parameters())


@settings(max_examples=60, deadline=None)
@given(data=st.data(), capacity=st.integers(1, 6), classes=st.integers(1, 3))
def test_equals_a_deque_for_each_class(data, capacity, classes):
    queue, model = ClassQueue(classes, capacity, 2), [deque(maxlen=capacity) for _ in range(classes)]
    number = 0
    for _ in range(data.draw(st.integers(1, 6))):
        width = data.draw(st.integers(1, capacity))
        rows = []
        for k in range(classes):
            flags = data.draw(st.lists(st.booleans(), min_size=width, max_size=width))
            values = [number + i + 1 if flag else None for i, flag in enumerate(flags)]
            number += width
            rows.append(values)
            model[k].extend(v for v in values if v is not None)
        push(queue, *rows)
        assert stored(queue) == [sorted(row) for row in model]
        assert queue.filled.tolist() == [len(row) for row in model]
