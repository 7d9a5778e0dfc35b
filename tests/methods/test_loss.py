"""The loss that a preset builds for a pair of networks."""

import warnings

import pytest
import torch

from medkd import methods
from medkd.losses import ATLoss, DKDLoss, HLFDLoss, KDLoss
from medkd.networks import FeatureTaps, ResNetFCN, UNet, UNetPlusPlus


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


def test_unknown_arguments_are_refused(pair):
    with pytest.raises(ValueError, match="method hlfd has no argument 'betta': did you mean beta"):
        methods.build("hlfd", task, *pair, args={"betta": 1})


def test_a_method_that_needs_a_teacher_says_so(pair):
    with pytest.raises(ValueError, match="method kd needs a teacher, found None"):
        methods.build("kd", task, pair[0])


def test_unknown_taps_are_refused_with_the_method(pair):
    with pytest.raises(ValueError, match="method pa: unknown tap 'penultimat'"):
        methods.build("pa", task, *pair, args={"tap": "penultimat"})


def test_every_method_can_warm_up(pair):
    loss = methods.build("emkd", task, *pair, args={"warmup": 5})
    assert loss.ramps == {"pmd": (0, 5), "imd": (0, 5), "rad": (0, 5)}
    assert methods.build("none", task, pair[0]).ramps == {}


def test_learnable_parts_have_the_channels_of_their_tap(pair):
    student, teacher = pair  # ResNetFCN 4, 4, 8, 16, 32 and UNet++ 4 ... 64
    regressor = methods.build("fitnet", task, student, teacher).losses["hint"].regressor
    assert (regressor.in_channels, regressor.out_channels) == (4, 16)  # encoder/4 of the one, decoder/4 of the other
    deeper = methods.build("fitnet", task, student, teacher, {"tap": "bottleneck"}).losses["hint"].regressor
    assert (deeper.in_channels, deeper.out_channels) == (32, 64)
    assert methods.build("hlfd_ifd", task, student, teacher).losses["cat_pmd"].head.in_channels == 4 + 4 + 8 + 16


def test_dkd_with_two_classes_warns_once_when_it_is_built(pair):
    with pytest.warns(UserWarning, match="with two classes beta is inert and DKD equals alpha") as caught:
        loss = methods.build("dkd", task, *pair)
    assert len(caught) == 1
    image = torch.rand(2, 1, 32, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss(pair[0](image), pair[1](image), image)
        DKDLoss(num_classes=3)
        DKDLoss(beta=0, num_classes=2)


def test_two_classes_are_refused_where_they_have_no_gradient(pair):
    for name in ("kd", "dkd"):
        with pytest.raises(ValueError, match=f"^method {name}: .*standardize: found 2 classes, expected 3 or more"):
            methods.build(name, task, *pair, args={"standardize": True})
    with pytest.raises(ValueError, match="DISTLoss: beta: found 1.0 with 2 classes, expected 0"):
        methods.build("dist", task, *pair, args={"beta": 1.0})
    assert methods.build("dist", task, *pair).losses["dist"].beta == 0  # the intra-class term alone


def test_three_classes_have_all_terms():
    three = [tapped(UNet(2, 1, 3, width=2)) for _ in range(2)]
    assert methods.build("dist", task, *three).losses["dist"].beta == 1
    for name in ("kd", "dkd"):
        assert methods.build(name, task, *three, args={"standardize": True}).losses[name].standardize


def test_dcd_pairs_stages_of_equal_size_and_takes_named_ones(pair):
    student, teacher = pair  # strides 2 to 32 and 1 to 16
    assert methods.build("dcd", task, student, teacher).losses["dcd"].stages == [(0, 1), (1, 2), (2, 3), (3, 4)]
    named = methods.build("dcd", task, student, teacher, {"stages": [[1, 2]], "levels": 1}).losses["dcd"]
    assert (named.stages, named.levels) == ([(1, 2)], 1)
    coarse = FeatureTaps(student.network, encoder=[student.names["encoder"][-1]])
    with pytest.raises(ValueError, match="DCDStagesLoss: stages: found .*, expected pairs of equal size"):
        methods.build("dcd", task, coarse, teacher)


def test_hlfd_takes_its_reading_of_late(pair):
    assert methods.build("hlfd", task, *pair, args={"late": "final"}).losses["hlfd"].late == "final"
    with pytest.raises(ValueError, match="late: found 'last', expected one of bottleneck, final"):
        methods.build("hlfd", task, *pair, args={"late": "last"})


def test_at_pairs_stages_by_resolution_and_says_so(pair, capsys):
    loss = methods.build("at", task, *pair)  # strides 2 to 32 and 1 to 16
    assert loss.taps["at"] == tuple(f"encoder.{i} -> encoder.{i + 1}" for i in range(4))
    assert "the term at compares the encoder stages 0 with 1, 1 with 2, 2 with 3, 3 with 4" in capsys.readouterr().out
    image = torch.rand(2, 1, 32, 32)
    s, t = pair[0](image), pair[1](image)
    value = loss(s, t, image) - s.logits.mean()
    expected = KDLoss()(s.logits, t.logits) + sum(ATLoss()(s.encoder[i], t.encoder[i + 1]) for i in range(4))
    torch.testing.assert_close(value, expected)
    assert methods.build("recommended", task, *pair, args={"weight": 1.0}).taps == loss.taps
    assert methods.build("recommended", task, *pair, args={"tap": ["encoder/8", "bottleneck"]}).taps["at"] == (
        "encoder/8",
        "bottleneck",
    )


def test_recommended_is_kd_where_no_stages_are_equal(pair, capsys):
    student, teacher = pair
    coarse = FeatureTaps(student.network, encoder=[student.names["encoder"][-1]])  # stride 32
    reasons = ("no two encoder stages have the same resolution", "of the teacher there are logits alone")
    for networks, reason in zip(((coarse, teacher), (student, FeatureTaps(teacher.network))), reasons, strict=True):
        assert list(methods.build("recommended", task, *networks).losses) == ["kd"]
        assert f"the term at is left out: {reason}" in capsys.readouterr().out


def test_at_is_refused_where_no_stages_are_equal(pair):
    student, teacher = pair
    coarse = FeatureTaps(student.network, encoder=[student.names["encoder"][-1]])  # stride 32
    with pytest.raises(ValueError, match="method at: term at: no two encoder stages have the same resolution .*::tap"):
        methods.build("at", task, coarse, teacher)
    with pytest.raises(ValueError, match="method at reads .* logits alone"):
        methods.build("at", task, student, FeatureTaps(teacher.network))
