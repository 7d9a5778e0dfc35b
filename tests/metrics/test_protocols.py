"""Labels out of logits."""

import pytest
import torch

from medkd.metrics import logits_to_labels


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_the_highest_logit_wins_and_the_first_of_equals(classes):
    torch.manual_seed(0)
    logits = torch.randint(-2, 3, (classes, 5, 16, 17)).float()  # equals in most places
    logits[0, 0, 0], logits[1, 1, 1] = float("nan"), float("inf")
    for values in (logits, logits.movedim(1, -1), logits.half(), logits.bfloat16()):
        found = logits_to_labels(values)
        assert found.dtype == torch.uint8 and torch.equal(found, values.argmax(0, keepdim=True).to(torch.uint8))
