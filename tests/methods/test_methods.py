"""Presets: what they build, their arguments, and their form."""

from pathlib import Path

import pytest
import torch

from medkd import methods
from medkd.losses import HLFDLoss, KDLoss
from medkd.networks import FeatureTaps, ResNetFCN, UNetPlusPlus


def tapped(network):
    return FeatureTaps(network, **network.default_taps())


@pytest.fixture(scope="module")
def pair():
    return tapped(ResNetFCN(2, 1, 2, width=4)), tapped(UNetPlusPlus(2, 1, 2, width=4, deep_supervision=True))


def task(logits, target):
    return logits.mean()


def test_none_is_the_task_alone(pair):
    student, _ = pair
    loss = methods.build("none", task, student)
    image = torch.rand(2, 1, 32, 32)
    features = student(image)
    torch.testing.assert_close(loss(features, None, image), features.logits.mean())
    assert not list(loss.parameters())


def test_kd_is_task_plus_kd(pair):
    student, teacher = pair
    image = torch.rand(2, 1, 32, 32)
    s, t = student(image), teacher(image)
    loss = methods.build("kd", task, student, teacher, {"weight": 0.5, "temperature": 2.0})
    expected = s.logits.mean() + 0.5 * KDLoss(2.0)(s.logits, t.logits)
    torch.testing.assert_close(loss(s, t, image), expected)


def test_hlfd_is_sized_by_the_student_and_takes_its_arguments(pair):
    student, teacher = pair
    loss = methods.build("hlfd", task, student, teacher, {"beta": 1.8, "preset": "repo"})
    (term,) = loss.losses.values()
    assert isinstance(term, HLFDLoss)
    assert (term.beta, term.lambda_, term.p, term.temperature, term.preset) == (1.8, 0.1, 4, 4.0, "repo")
    assert [head.in_channels for head in term.heads] == [4, 4, 8, 16]


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("hlfdd", {}, "unknown method 'hlfdd': did you mean hlfd"),
        ("hlfd", {"betta": 1}, "method hlfd has no argument 'betta': did you mean beta"),
        ("kd", {"temperature": "hot"}, "method kd: temperature: found 'hot', expected a number"),
        ("none", {"beta": 1}, "method none has no argument 'beta': it has no arguments"),
    ],
)
def test_unknown_names_are_answered_with_near_ones(pair, name, args, message):
    with pytest.raises(ValueError, match=message):
        methods.build(name, task, *pair, args=args)


def test_a_method_that_needs_a_teacher_says_so(pair):
    with pytest.raises(ValueError, match="method kd needs a teacher, found None"):
        methods.build("kd", task, pair[0])


@pytest.mark.parametrize("name", methods.names())
def test_presets_are_short_and_name_their_sources(name):
    lines = (Path(methods.__file__).parent / f"{name}.yaml").read_text().splitlines()
    assert len(lines) <= 15
    assert lines[0].startswith("# ")
    assert set(methods.load_preset(name)) == {"paper", "args", "terms"}
