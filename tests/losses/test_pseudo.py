"""Pseudo-labels: which images are read, and by what the loss is divided."""

import pytest
import torch
from monai.losses import DiceCELoss
from torch.nn.functional import cross_entropy

from medkd.losses import CombinedLoss, PseudoLabelLoss
from medkd.networks import Features
from tests.losses.reference import sample

SIZES = {2: (6, 7), 3: (3, 4, 5)}


def task(logits, target):
    return cross_entropy(logits, target.squeeze(1))


@pytest.mark.parametrize("dims", SIZES)
@pytest.mark.parametrize("labelled", [[0], [2, 0], [1, 2]])
def test_the_mean_runs_over_the_unlabelled_images(dims, labelled):
    student, teacher = (sample(3, 4, *SIZES[dims], seed=seed) for seed in range(2))
    rest = [index for index in range(3) if index not in labelled]
    value = PseudoLabelLoss(task)(student.requires_grad_(), teacher, None, labelled=torch.tensor(labelled))
    value.backward()
    expected = cross_entropy(student[rest], teacher[rest].argmax(1))
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    assert all((student.grad[index].abs().sum() > 0) == (index in rest) for index in range(3))


def test_labelled_images_are_read_by_argument():
    student, teacher = (sample(3, 2, 4, 5, seed=seed) for seed in range(2))
    everywhere = PseudoLabelLoss(task, labelled=True)
    expected = cross_entropy(student, teacher.argmax(1))
    for labelled in (None, torch.tensor([1]), torch.tensor([], dtype=torch.long)):
        torch.testing.assert_close(everywhere(student, teacher, labelled=labelled), expected, rtol=1e-12, atol=0)


def test_a_batch_without_an_unlabelled_image_has_a_zero_gradient():
    student, teacher = sample(2, 2, 4, 5).requires_grad_(), sample(2, 2, 4, 5, seed=1)
    value = PseudoLabelLoss(task)(student, teacher, labelled=torch.tensor([1, 0]))
    value.backward()
    assert value == 0 and student.grad.abs().sum() == 0


def test_a_run_without_unlabelled_images_is_refused():
    with pytest.raises(ValueError, match="method pseudo: found no unlabelled images, expected some .--unlabelled., or"):
        PseudoLabelLoss(task)(sample(1, 2, 4, 4), sample(1, 2, 4, 4))


def test_in_a_combined_loss_labels_of_unlabelled_images_are_not_read():
    student, teacher = (Features(sample(3, 2, 8, 8, seed=seed)) for seed in range(2))
    dice = DiceCELoss(softmax=True, to_onehot_y=True)
    loss = CombinedLoss(dice, {"pseudo": {"loss": PseudoLabelLoss(dice), "weight": 1.0, "tap": "logits"}})
    target = (sample(3, 1, 8, 8, seed=2) > 0).long()
    values = []
    for placeholder in (0, 1):
        target[1] = placeholder
        values.append(loss(student, teacher, target, torch.tensor([0, 2])))
    assert values[0] == values[1]
    expected = dice(student.logits[[0, 2]], target[[0, 2]])
    expected += dice(student.logits[1:2], teacher.logits[1:2].argmax(1, keepdim=True))
    torch.testing.assert_close(values[0], expected, rtol=1e-6, atol=0)


def test_compiles_as_one_graph():
    loss, labelled = PseudoLabelLoss(task), torch.tensor([1])
    student, teacher = sample(3, 2, 4, 5), sample(3, 2, 4, 5, seed=1)
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(student, teacher, labelled=labelled), loss(student, teacher, labelled=labelled))
