"""Scores of assistants: who knows nothing scores nothing, whatever it corrects under the labels."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from medkd.plckd import score_assistants
from medkd.plckd.scores import beyond_teacher


class Says(nn.Module):
    """Answers with a decision computed from the image, whose channels are the truth, the teacher's answer and noise."""

    def __init__(self, decide):
        super().__init__()
        self.decide = decide

    def forward(self, image):
        truth, teacher, noise = image.unbind(1)
        lesion = self.decide(truth > 0, teacher > 0, noise)[:, None].float()
        return torch.cat([1 - lesion, lesion], dim=1) * 9


@pytest.fixture(scope="module")
def scores():
    draw = torch.Generator().manual_seed(0)
    batches = []
    for _ in range(8):
        truth = torch.rand(1, 1, 60, 60, generator=draw) < 0.4
        teacher = truth ^ (torch.rand(1, 1, 60, 60, generator=draw) < 0.2)
        noise = torch.rand(1, 1, 60, 60, generator=draw)
        batches.append({"image": torch.cat([truth, teacher, noise], dim=1).float(), "label": truth.long()})
    decide = {
        "T": lambda y, t, z: t,
        "right": lambda y, t, z: y,
        "contradicts": lambda y, t, z: ~t,
        "coin": lambda y, t, z: z < 0.5,
        "lesion": lambda y, t, z: torch.ones_like(y),
        "inverted": lambda y, t, z: ~y,
        "somewhat": lambda y, t, z: torch.where(z < 0.3, y, t),
    }
    return score_assistants({name: Says(rule) for name, rule in decide.items()}, batches, "cpu")


def test_networks_that_know_nothing_beyond_the_teacher(scores):
    for name in ("contradicts", "lesion"):
        assert scores[name]["beyond_teacher"] == pytest.approx(0, abs=1e-9)
    assert abs(scores["coin"]["beyond_teacher"]) < 0.03
    low, high = scores["coin"]["interval"]
    assert -0.03 < low < high < 0.03
    assert scores["contradicts"]["right_on_false_negatives"] == scores["contradicts"]["right_on_false_positives"] == 1
    assert scores["contradicts"]["wrong_where_teacher_right"] == 1
    assert (scores["lesion"]["right_on_false_negatives"], scores["lesion"]["right_on_false_positives"]) == (1, 0)


def test_networks_that_know_something_beyond_the_teacher(scores):
    assert scores["right"]["beyond_teacher"] == scores["right"]["dice"] == 1
    assert scores["inverted"]["beyond_teacher"] == -1 and scores["inverted"]["dice"] == 0
    assert scores["somewhat"]["right_on_false_negatives"] == pytest.approx(0.3, abs=0.03)
    assert scores["somewhat"]["beyond_teacher"] == pytest.approx(0.3, abs=0.03)
    low, high = scores["somewhat"]["interval"]
    assert 0.2 < low < scores["somewhat"]["beyond_teacher"] < high < 0.4


def test_the_teacher_has_a_dice_only(scores):
    assert set(scores["T"]) == {"dice", "n"} and scores["T"]["n"] == 8 and 0.7 < scores["T"]["dice"] < 0.8


def test_beyond_teacher_by_hand():
    # where T says background: lesion 1 of 4 said lesion, background 2 of 10; where T says lesion: 3 of 4, 1 of 2
    counts = np.array([[[8, 2], [3, 1]], [[1, 1], [1, 3]]], dtype=float)
    assert beyond_teacher(counts) == pytest.approx(((1 / 4 - 2 / 10) + (3 / 4 - 1 / 2)) / 2)
    counts[1, 0] = 0  # no false positive: nothing can be said
    assert np.isnan(beyond_teacher(counts))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("lesion", [True, False])
def test_scores_without_data_are_none(lesion):
    """A teacher without errors, and images without lesions."""
    truth = torch.zeros(1, 1, 8, 8)
    truth[..., 4:, :] = lesion
    image = torch.cat([truth, truth, torch.rand(1, 1, 8, 8)], dim=1)
    nets = {"T": Says(lambda y, t, z: y), "coin": Says(lambda y, t, z: z < 0.5)}
    result = score_assistants(nets, [{"image": image, "label": truth.long()}], "cpu")
    assert result["coin"]["beyond_teacher"] is None and result["coin"]["interval"] is None
    assert result["coin"]["right_on_false_negatives"] is None
    assert result["T"]["dice"] == (1 if lesion else None)
    json.dumps(result, allow_nan=False)


def test_few_images_have_no_interval():
    draw = torch.Generator().manual_seed(0)
    batches = [
        {"image": torch.rand(1, 3, 8, 8, generator=draw) - 0.5, "label": torch.ones(1, 1, 8, 8)} for _ in range(4)
    ]
    for batch in batches:
        batch["label"] = (batch["image"][:, :1] > 0).long()
    nets = {"T": Says(lambda y, t, z: t), "coin": Says(lambda y, t, z: z < 0)}
    result = score_assistants(nets, batches, "cpu")["coin"]
    assert result["interval"] is None and abs(result["beyond_teacher"]) < 0.5


def test_logits_are_resized_to_the_label():
    truth = torch.zeros(1, 1, 8, 8, dtype=torch.long)
    truth[..., 4:, :] = 1
    image = torch.stack([truth[0, 0, ::2, ::2]] * 3)[None].float()
    result = score_assistants({"T": Says(lambda y, t, z: y)}, [{"image": image, "label": truth}], "cpu")
    assert result == {"T": {"dice": 1.0, "n": 1}}


def test_the_interval_resamples_patients():
    draw = torch.Generator().manual_seed(0)
    singles = []
    for _ in range(6):
        image = torch.rand(1, 3, 8, 8, generator=draw) - 0.5
        singles.append({"image": image, "label": (image[:, :1] > 0).long()})
    copies = [batch for batch in singles for _ in range(4)]
    nets = {"T": Says(lambda y, t, z: t), "some": Says(lambda y, t, z: torch.where(z < -0.2, y, t))}

    def interval(batches, patients=None):
        named = [{**batch, "patient": [name]} for batch, name in zip(batches, patients or [], strict=False)]
        return score_assistants(nets, named or batches, "cpu")["some"]["interval"]

    # four equal images of a patient tell as much as one of them
    assert interval(copies, [f"p{i // 4}" for i in range(24)]) == pytest.approx(interval(singles))
    low, high = interval(copies)
    assert high - low < 0.7 * np.diff(interval(singles))
    # unknown patients, one patient for all, and a patient for each image change nothing
    assert interval(copies, ["p"] * 24) == interval(copies) == interval(copies, [f"q{23 - i}" for i in range(24)])
    assert interval(copies, [f"p{i // 8}" for i in range(24)]) is None  # three patients are too few
