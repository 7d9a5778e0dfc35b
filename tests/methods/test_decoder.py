"""The method in the place of `recommended` for a student without decoder."""

import pytest
import torch

from medkd import methods
from medkd.losses import FocalDiceLoss
from medkd.networks import FeatureTaps, ResNetFCN, UNet


def tapped(network):
    return FeatureTaps(network, **network.default_taps())


@pytest.fixture(scope="module")
def networks():
    return {
        "fcn": tapped(ResNetFCN(2, 1, 2, width=2)),
        "unet": tapped(UNet(2, 1, 2, width=2)),
        "heads": tapped(UNet(2, 1, 2, width=2, deep_supervision=True)),
        "logits": FeatureTaps(UNet(2, 1, 2, width=2)),
    }


@pytest.mark.parametrize(
    ("teacher", "args", "terms"),
    [
        ("heads", None, ["ufd", "ifd", "upd", "ipd"]),
        ("unet", {"warmup": 3}, ["ufd", "ifd", "ipd"]),  # no auxiliary logits
    ],
)
def test_student_without_decoder_learns_by_hlfd_of_the_final_map(networks, teacher, args, terms, capsys):
    student, teacher = networks["fcn"], networks[teacher]
    loss = methods.build("recommended", FocalDiceLoss(), student, teacher, args)
    assert "the student has no decoder, so the method is hlfd with {'late': 'final'" in capsys.readouterr().out
    same = methods.build("hlfd", FocalDiceLoss(), student, teacher, {"late": "final", "terms": terms, **(args or {})})
    assert loss.losses["hlfd"].late == "final"
    assert (loss.losses["hlfd"].computed, loss.ramps) == (same.losses["hlfd"].computed, same.ramps)
    image, target = torch.rand(2, 1, 64, 64), torch.randint(0, 2, (2, 1, 64, 64))
    same.load_state_dict(loss.state_dict())
    values = [each(student(image), teacher(image), target=target) for each in (loss.eval(), same.eval())]
    torch.testing.assert_close(*values)


@pytest.mark.parametrize(
    ("student", "teacher", "args", "terms"),
    [
        ("unet", "heads", {}, ["kd", "at"]),
        ("fcn", "heads", {"weight": 3.0}, ["kd", "at"]),  # an argument of AT: AT is meant
        ("fcn", "fcn", {}, ["kd", "at"]),  # a teacher without decoder has no final map
        ("fcn", "logits", {}, ["kd"]),
    ],
)
def test_method_itself_is_meant(networks, student, teacher, args, terms):
    assert (
        list(methods.build("recommended", FocalDiceLoss(), networks[student], networks[teacher], args).losses) == terms
    )
