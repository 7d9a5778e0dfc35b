"""False pixels: the queue holds incorrectly predicted pixels, and images are made of nothing else."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medkd.correction import FalsePixelQueue, false_pixel_images


def coded(size=(6, 7), classes=3, seed=0, batch=2):
    """An image whose first channel is the label and whose second is the prediction, and both."""
    draw = torch.Generator().manual_seed(seed)
    label, prediction = (torch.randint(0, classes, (batch, 1, *size), generator=draw) for _ in range(2))
    noise = torch.rand(batch, 1, *size, generator=draw)
    return torch.cat([label.float(), prediction.float(), noise], 1), label, prediction


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 60), st.integers(1, 40), st.sampled_from([(6, 7), (3, 4, 5)]))
def test_a_queue_holds_false_pixels_of_its_class_alone(seed, k, capacity, size):
    queue = FalsePixelQueue(3, 3, capacity)
    image, label, prediction = coded(size, seed=seed)
    queue.push(image, label, prediction, k)
    for c in range(3):
        stored = queue.slots[c, : int(queue.filled[c])]
        assert (stored[:, 0] == c).all() and (stored[:, 1] != c).all()
        per_image = ((label == c) & (prediction != c)).flatten(1).sum(1).clamp_max(k)
        assert len(stored) == min(int(per_image.sum()), capacity)
        assert {tuple(v) for v in stored.tolist()} <= {
            tuple(v) for v in image.flatten(2).transpose(1, 2).reshape(-1, 3).tolist()
        }


def test_every_pixel_of_an_image_comes_from_the_queue_of_its_label():
    queue = FalsePixelQueue(3, 3, 50)
    image, label, prediction = coded()
    queue.push(image, label, prediction, 100)
    synthetic, target = false_pixel_images(queue, label, torch.Generator().manual_seed(0))
    assert torch.equal(target, label) and synthetic.shape == image.shape
    for c in range(3):
        stored = {tuple(v) for v in queue.slots[c, : int(queue.filled[c])].tolist()}
        sampled = [tuple(v) for v in synthetic.transpose(0, 1).flatten(1)[:, (label == c).flatten()].T.tolist()]
        assert set(sampled) <= stored and len(set(sampled)) > 1
    again, _ = false_pixel_images(queue, label, torch.Generator().manual_seed(0))
    assert torch.equal(synthetic, again)


def test_the_newest_pixels_stay():
    queue = FalsePixelQueue(1, 2, 3)
    assert not queue.is_full
    label = torch.tensor([[0, 1]]).reshape(1, 1, 1, 2)
    for value in range(5):
        queue.push(torch.full((1, 1, 1, 2), float(value)), label, 1 - label, 5)
    assert queue.is_full and queue.filled.tolist() == [3, 3]
    assert sorted(queue.slots[0, :3, 0].tolist()) == [2, 3, 4]
    assert set(queue.sample(100, 1)[:, 0].tolist()) == {2, 3, 4}


def test_a_teacher_without_errors_leaves_it_empty():
    queue = FalsePixelQueue(3, 2, 4)
    image, label, _ = coded(classes=2)
    queue.push(image, label, label, 10)
    assert queue.filled.tolist() == [0, 0]
    with pytest.raises(ValueError, match="class 1 holds no pixel: the teacher has made no error on it"):
        queue.sample(1, 1)
    with pytest.raises(RuntimeError, match="a class of the labels has no pixel in the queue"):
        false_pixel_images(queue, label)


def test_it_is_part_of_the_checkpoint_and_has_nothing_to_learn():
    queue = FalsePixelQueue(3, 3, 10)
    queue.push(*coded(), 20)
    twin = FalsePixelQueue(3, 3, 10)
    twin.load_state_dict(queue.state_dict())
    assert torch.equal(twin.slots, queue.slots) and not list(queue.parameters())


def test_shapes_are_checked():
    with pytest.raises(
        ValueError, match=r"found image \(1, 3, 4, 4\), label \(1, 1, 4, 5\) and prediction \(1, 1, 4, 4\), expected"
    ):
        FalsePixelQueue(3, 2, 4).push(torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 5), torch.zeros(1, 1, 4, 4), 1)
