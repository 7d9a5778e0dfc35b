"""The correction report: kinds of errors counted by hand, and what a run writes."""

import torch

from medkd.correction import SoftLabels
from medkd.engines.correction_report import count_errors


def stage(prediction):
    """Sure probabilities (1, 2, H, W) of a boolean prediction."""
    lesion = prediction.float()[None, None]
    return torch.cat([1 - lesion, lesion], dim=1)


def test_kinds_by_hand():
    target = torch.zeros(1, 1, 20, 20, dtype=torch.long)
    target[..., 4:16, 4:16] = 1
    truth = target[0, 0].bool()
    first = truth.clone()
    first[10, 10] = False  # in the middle of the lesion: 6 pixels from its border
    first[4, 4:8] = False  # on its border
    first[3, 10] = True  # outside, at its border
    first[0, 0] = True  # far outside: 4 pixels an axis from it
    second = first.clone()
    second[4, 4:8] = True
    labels = SoftLabels(stage(first), stage(second), stage(second), stage(truth))
    found = {kind: values.tolist() for kind, values in count_errors(labels, target).items()}
    assert found == {
        "wrong": [7, 3, 3, 0],
        "false positive": [2, 2, 2, 0],
        "false negative": [5, 1, 1, 0],
        "boundary": [5, 1, 1, 0],
        "interior": [2, 2, 2, 0],
    }


def test_volumes_are_counted_too():
    target = torch.zeros(1, 1, 9, 9, 9, dtype=torch.long)
    target[..., 4, 4, 4] = 1
    nothing = torch.cat([torch.ones(1, 1, 9, 9, 9), torch.zeros(1, 1, 9, 9, 9)], dim=1)
    found = count_errors(SoftLabels(nothing, nothing, nothing, nothing), target)
    assert found["false negative"].tolist() == found["boundary"].tolist() == [1] * 4
