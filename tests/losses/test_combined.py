"""Named terms: taps, weights, lists of taps, the values for the log."""

import pytest
import torch
from torch import nn

from medkd.losses import CombinedLoss, SelfOptimizing
from medkd.losses.taps import tap_of
from medkd.networks import Features


class Gap(nn.Module):
    """mean(student) - mean(teacher): easy to foresee."""

    def forward(self, student, teacher, target=None):
        return student.mean() - teacher.mean()


def filled(*values, size=4):
    """Features whose tensors are constant: logits, encoder x2, decoder x2."""
    logits, *rest = (
        torch.full((1, 2, size // 2**i, size // 2**i), float(v)) for i, v in zip((0, 0, 1, 1, 0), values, strict=True)
    )
    return Features(logits, tuple(rest[:2]), tuple(rest[2:]))


STUDENT, TEACHER = filled(1, 10, 20, 30, 40), filled(0, 1, 2, 3, 4)
TARGET = torch.zeros(1, 1, 4, 4)


def task(logits, target):
    return logits.sum() * 0 + 5.0


@pytest.mark.parametrize(
    ("tap", "gap"),
    [
        ("logits", 1),
        ("penultimate", 36),
        ("bottleneck", 18),
        ("encoder.0", 9),
        ("decoder.0", 27),
        (["encoder.0", "encoder.1"], 9 + 18),
        ("cat(encoder.0, encoder.1)", 15 - 1.5),
    ],
)
def test_taps_and_weight(tap, gap):
    loss = CombinedLoss(task, {"gap": {"loss": Gap(), "weight": 2.0, "tap": tap}})
    assert loss(STUDENT, TEACHER, TARGET).item() == pytest.approx(5 + 2 * gap)
    assert {name: value.item() for name, value in loss.values.items()} == pytest.approx({"task": 5, "gap": 2 * gap})
    assert not any(value.requires_grad for value in loss.values.values())


def test_penultimate_of_a_network_without_decoder_is_the_bottleneck():
    student = Features(STUDENT.logits, STUDENT.encoder)
    assert tap_of(student, "penultimate") is student.encoder[-1]


def test_cat_resizes_to_the_smallest():
    assert tap_of(STUDENT, "cat(encoder.0,encoder.1)").shape == (1, 4, 2, 2)


@pytest.mark.parametrize(
    ("tap", "message"),
    [
        ("encoder.2", "tap 'encoder.2': the network has 2 encoder taps"),
        ("encoder", "unknown tap 'encoder', expected one of: logits"),
        ("layer4", "unknown tap 'layer4'"),
    ],
)
def test_bad_taps(tap, message):
    with pytest.raises(ValueError, match=message):
        CombinedLoss(task, {"gap": {"loss": Gap(), "weight": 1, "tap": tap}})(STUDENT, TEACHER, TARGET)


def test_a_term_with_a_misspelt_key_is_refused():
    with pytest.raises(ValueError, match=r"term 'gap' has \['loss', 'tap', 'wieght'\]"):
        CombinedLoss(task, {"gap": {"loss": Gap(), "wieght": 1, "tap": "logits"}})


def test_task_runs_in_float32_under_autocast():
    dtypes = []
    loss = CombinedLoss(lambda z, y: dtypes.append(z.dtype) or z.mean(), {})
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss(Features(torch.zeros(1, 2, 4, 4, dtype=torch.bfloat16)), None, TARGET)
    assert dtypes == [torch.float32]


def test_parameters_of_terms_are_parameters_of_the_loss():
    loss = CombinedLoss(task, {"a": {"loss": nn.Conv2d(1, 1, 1), "weight": 1, "tap": "logits"}})
    assert len(list(loss.parameters())) == 2


def test_the_task_has_a_weight_and_ramps_are_kept():
    terms = {
        "task": {"weight": 0.5, "ramp": [2, 2]},
        "gap": {"loss": Gap(), "weight": 2.0, "tap": "logits", "ramp": [0, 4]},
    }
    loss = CombinedLoss(task, terms)
    assert loss(STUDENT, TEACHER, TARGET).item() == 0.5 * 5.0 + 2.0 * 1.0
    assert loss.ramps == {"task": (2, 2), "gap": (0, 4)}
    loss.weights["task"] = 0.0
    assert loss(STUDENT, TEACHER, TARGET).item() == 2.0


@pytest.mark.parametrize("ramp", [[3, 1], [-1, 2]])
def test_a_ramp_that_falls_is_refused(ramp):
    with pytest.raises(ValueError, match=r"term 'gap': ramp .* expected epochs 0 <= first <= last"):
        CombinedLoss(task, {"gap": {"loss": Gap(), "weight": 1.0, "tap": "logits", "ramp": ramp}})


def test_losses_with_an_optimizer_of_their_own_step_themselves():
    class Adversary(Gap, SelfOptimizing):
        def __init__(self):
            super().__init__()
            self.own, self.steps = nn.Parameter(torch.zeros(1)), 0

        def step(self):
            self.steps += 1

    adversary, linear = Adversary(), nn.Linear(1, 1)
    gap = Gap()
    gap.head = linear
    terms = {n: {"loss": x, "weight": 1.0, "tap": "logits"} for n, x in (("a", adversary), ("b", gap))}
    loss = CombinedLoss(task, terms)
    assert {id(p) for p in loss.adaptors()} == {id(p) for p in linear.parameters()}
    loss.step()
    assert adversary.steps == 1
