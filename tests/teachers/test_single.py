"""A single network as a teacher, and the questions that every kind of teacher answers."""

import pytest
import torch

from medkd.correction import TeacherTeam
from medkd.networks import FeatureTaps, UNet
from medkd.teachers import CachedTeacher, SingleTeacher, as_teacher, frozen


@pytest.fixture
def taps():
    network = UNet(2, 1, 2, width=2).eval()
    return FeatureTaps(network, **network.default_taps())


def test_a_single_teacher_gives_the_features_of_its_network(taps):
    image, label = torch.rand(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)
    features, expected = SingleTeacher(taps)(image, label), taps(image)
    assert torch.equal(features.logits, expected.logits) and len(features.decoder) == len(expected.decoder)


def test_a_tapped_network_is_wrapped_and_a_teacher_is_not(taps):
    teacher = as_teacher(taps)
    assert isinstance(teacher, SingleTeacher) and as_teacher(teacher) is teacher


@pytest.mark.parametrize("kind", ["single", "team", "cached single", "cached team"])
def test_every_teacher_answers_the_same_questions(taps, kind):
    inner = TeacherTeam(taps) if kind.endswith("team") else SingleTeacher(taps)
    teacher = CachedTeacher(inner) if kind.startswith("cached") else inner
    assert teacher.reads == ("soft_labels" if kind.startswith("cached") else "image")
    assert teacher.team is (inner if kind.endswith("team") else None)
    x = torch.rand(1, 1 if teacher is inner else sum(inner.output_channels.values()), 32, 32)
    label = torch.randint(0, 2, (1, 1, 32, 32))
    assert teacher.outputs(x).teacher.shape == teacher(x, label).logits.shape == (1, 2, 32, 32)
    teacher.start_epoch()
    if teacher.team is not None:
        assert teacher.team.correction.memory.rows is None


def test_frozen_modules_have_no_gradient(taps):
    teacher = frozen(SingleTeacher(taps.train()))
    assert not any(module.training for module in teacher.modules())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
