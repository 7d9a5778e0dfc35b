"""The adapter of an external network, with networks whose outputs are known."""

import pytest
import torch
from monai.networks.nets import BasicUNetPlusPlus
from torch import nn

from medkd.teachers import TeacherAdapter


class Fixed(nn.Module):
    """A network whose answer is known."""

    def __init__(self, answer):
        super().__init__()
        self.conv, self.answer = nn.Conv2d(1, 1, 1), answer

    def forward(self, image):
        return self.answer(image)


def test_one_channel_is_the_logit_of_a_sigmoid():
    teacher = TeacherAdapter(Fixed(lambda x: 3 * x), "F", (2, 1), 2)
    image = torch.randn(1, 1, 4, 4)
    torch.testing.assert_close(teacher(image).softmax(1)[:, 1:], torch.sigmoid(3 * image))


def test_classes_are_merged_in_any_order():
    teacher = TeacherAdapter(Fixed(lambda x: torch.cat([x, 2 * x, -x, 0 * x], 1)), "F", (2, 1), 3, [2, 0, 1, 2])
    image = torch.randn(1, 1, 4, 4)
    p = torch.cat([image, 2 * image, -image, 0 * image], 1).softmax(1)
    torch.testing.assert_close(teacher(image).softmax(1), torch.stack([p[:, 1], p[:, 2], p[:, 0] + p[:, 3]], 1))
    assert TeacherAdapter(Fixed(lambda x: torch.cat([x, -x], 1)), "F", (2, 1), 2).classes is None


def test_the_last_output_of_full_size_is_taken():
    network = BasicUNetPlusPlus(2, 1, 2, features=(4, 4, 4, 4, 4, 4), deep_supervision=True).eval()
    image = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(TeacherAdapter(network, "F", (2, 1), 2)(image), network(image)[-1])
    deep = Fixed(lambda x: [torch.cat([x, -x], 1), torch.cat([x, x], 1)[..., ::2, ::2]])
    torch.testing.assert_close(TeacherAdapter(deep, "F", (2, 1), 2)(image), torch.cat([image, -image], 1))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            lambda x: {"a": x, "b": x},
            "^--teacher F: found a dictionary of a, b, expected logits, under 'logits' or 'out'",
        ),
        (lambda x: [x, None], "^--teacher F: found list, expected logits"),
        (lambda x: x.argmax(1), r"^--teacher F: found a label map \(1, 32, 32\) without channels, expected logits"),
        (
            lambda x: x.round().long(),
            r"^--teacher F: found labels \(torch.int64\), expected logits: leave out the argmax",
        ),
        (lambda x: (x > 0).float(), r"^--teacher F: found whole numbers alone \(hard labels\), expected logits"),
        (lambda x: torch.cat([x > 0, x <= 0], 1).float(), r"found whole numbers alone \(hard labels\)"),
        (lambda x: x / 0, "^--teacher F: found NaN or infinity in its output, expected logits"),
        (
            lambda x: x[..., ::2],
            r"F: found an output \(1, 1, 256, 128\) for an image of \(256, 256\), expected its size",
        ),
    ],
)
def test_other_outputs_are_refused(answer, message):
    with pytest.raises(ValueError, match=message):
        TeacherAdapter(Fixed(answer), "F", (2, 1), 2)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (
            None,
            r"teacher F: found 3 channels, expected the 2 classes of the task: .* --teacher_classes \"\[0, 1, 1\]\"",
        ),
        ([0, 1], r"found \[0, 1\], expected 3 classes of 0 to 1, one for each channel of F"),
        ([0, 1, 2], "expected 3 classes of 0 to 1"),
        ([0, 0, 0], "expected a channel of F for class 1"),
    ],
)
def test_classes_that_do_not_fit_are_refused(classes, message):
    with pytest.raises(ValueError, match=message):
        TeacherAdapter(Fixed(lambda x: torch.cat([x] * 3, 1)), "F", (2, 1), 2, classes)
