"""Labels from logits, by the protocol of the evaluation."""

import math

import pytest
import torch

from medkd.metrics import logits_to_labels


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_the_highest_logit_wins_and_the_first_of_equals(classes):
    torch.manual_seed(0)
    logits = torch.randint(-2, 3, (classes, 5, 16, 17)).float()  # many ties
    logits[0, 0, 0], logits[1, 1, 1] = float("nan"), float("inf")
    for values in (logits, logits.movedim(1, -1), logits.half(), logits.bfloat16()):
        labels = logits_to_labels(values)
        assert labels.dtype == torch.uint8 and torch.equal(labels, values.argmax(0, keepdim=True).to(torch.uint8))


def test_hlfd_takes_a_foreground_probability_above_its_threshold():
    logits = torch.tensor([0.0, math.log(0.45 / 0.55)]).reshape(2, 1, 1)  # foreground probability 0.45
    assert logits_to_labels(logits).item() == 0
    assert logits_to_labels(logits, "hlfd").item() == 1
    with pytest.raises(ValueError, match="protocol 'hlfd' is for one foreground class, found 2"):
        logits_to_labels(torch.zeros(3, 1, 1), "hlfd")
    with pytest.raises(ValueError, match="protocol must be one of whole, hlfd, found 'paper'"):
        logits_to_labels(logits, "paper")
