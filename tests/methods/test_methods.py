"""Presets: what they build, their arguments, and their form."""

import warnings
from pathlib import Path

import pytest
import torch

from medkd import methods
from medkd.cli.main import main
from medkd.losses import DKDLoss, HLFDLoss, KDLoss
from medkd.methods.table import markdown
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


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"weight": "much"}, "method pa: weight: found 'much', expected a number"),
        ({"detach_norm": 1}, "method pa: detach_norm: found 1, expected True or False"),
        ({"tap": 3}, "method pa: tap: found 3, expected text such as 'penultimate'"),
        ({"tap": "penultimat"}, "method pa: unknown tap 'penultimat'"),
        ({"warmup": "long"}, "method pa: warmup: found 'long', expected a number"),
    ],
)
def test_arguments_of_another_kind_are_refused(pair, args, message):
    with pytest.raises(ValueError, match=message):
        methods.build("pa", task, *pair, args=args)


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


def test_all_methods_of_both_papers_are_there():
    wanted = "none kd fitnet at emkd cwd spkd pa skd ifvd cirkd dkd imf hifd hlfd hlfd_skd hlfd_ifd hlfd_dkd hlfd_hifd"
    wanted += " plckd swap"
    assert set(methods.names()) == set(wanted.split())


def test_the_readme_shows_the_table_of_methods():
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert readme.split("<!-- methods -->\n")[1] == markdown() + "\n", "run: medkd methods --markdown"


def test_the_command_lists_them(capsys):
    assert main(["methods"]) == 0
    shown = capsys.readouterr().out
    assert all(any(line.startswith(name + " ") for line in shown.splitlines()) for name in methods.names())
    assert main(["methods", "--markdown"]) == 0
    assert capsys.readouterr().out == markdown() + "\n"
    assert main(["methods", "--markdwn"]) == 1


@pytest.mark.parametrize("name", methods.names())
def test_presets_are_short_and_name_their_sources(name):
    lines = (Path(methods.__file__).parent / f"{name}.yaml").read_text().splitlines()
    assert len(lines) <= 15
    assert lines[0].startswith("# ")
    assert set(methods.load_preset(name)) - {"team", "base"} == {"paper", "reads", "cost", "args", "terms"}
