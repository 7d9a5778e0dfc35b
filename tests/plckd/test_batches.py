"""Batches of the assistants: boundary transforms, false-pixel images, and how the queue is filled."""

import pytest
import torch

from medkd.correction import FalsePixelQueue
from medkd.plckd import BoundaryBatches, FalsePixelBatches

from .builders import make_images, make_network, make_trainer


def test_the_queue_is_filled_first_and_images_come_from_it(capsys):
    queue, teacher = FalsePixelQueue(1, 2, 300), make_network(3)
    batches = FalsePixelBatches(teacher, queue, k=100)
    engine = make_trainer(make_network(4), batches)
    engine.run()
    assert queue.is_full
    assert "class 0 300, class 1 300" in capsys.readouterr().out
    x, y = make_images(2)
    synthetic, masks = batches({"image": x, "label": y})
    for k in (0, 1):
        assert set(synthetic[masks == k].tolist()) <= set(queue.slots[k, :300, 0].tolist())
    assert not teacher.training and not any(p.requires_grad for p in teacher.parameters())


def test_real_images_are_mixed_in():
    queue = FalsePixelQueue(1, 2, 50)
    batches = FalsePixelBatches(make_network(3), queue, mix_real=1.0)
    x, y = make_images(2)
    queue.push(x, y, 1 - y, 50)
    synthetic, masks = batches({"image": x, "label": y})
    assert torch.equal(synthetic, x) and torch.equal(masks, y)


def test_a_teacher_that_is_always_right_is_an_error():
    class Oracle(torch.nn.Module):
        def forward(self, x):
            y = torch.nn.functional.avg_pool2d(x, 5, 1, 2) > 0.5
            return torch.cat([~y, y], 1).float()

    with pytest.raises(ValueError, match="the teacher makes no error on the training images"):
        make_trainer(make_network(), FalsePixelBatches(Oracle(), FalsePixelQueue(1, 2, 50))).run()


def test_a_class_without_errors_takes_its_least_probable_pixels(capsys):
    class AllLesion(torch.nn.Module):
        def forward(self, x):
            return torch.cat([0 * x, x + 1], 1)  # every background pixel is wrong, no lesion pixel is

    queue = FalsePixelQueue(1, 2, 40)
    make_trainer(make_network(), FalsePixelBatches(AllLesion(), queue, k=10)).run()
    assert "the teacher makes no error on class [1]" in capsys.readouterr().out
    x, y = make_images()
    for image, label in zip(x, y, strict=True):
        lowest = image[label == 1].sort().values[0].item()  # of least probability
        assert lowest in queue.slots[1, :40, 0].tolist()


def test_a_mask_without_lesion_is_replaced():
    queue = FalsePixelQueue(1, 2, 50)
    batches = FalsePixelBatches(make_network(3), queue)
    x, y = make_images(2)
    queue.push(x, y, 1 - y, 50)
    y[0] = 0
    _, masks = batches({"image": x, "label": y})
    assert torch.equal(masks[0], y[1]) and torch.equal(masks[1], y[1])


def test_boundary_batches_move_pixels_within_lesions_alone():
    x, y = make_images(2)
    image, label = BoundaryBatches(width=1)({"image": x, "label": y})
    assert torch.equal(label, y) and torch.equal(image[y == 0], x[y == 0]) and not torch.equal(image, x)
    assert torch.equal(image[y == 1].sort().values, x[y == 1].sort().values)
