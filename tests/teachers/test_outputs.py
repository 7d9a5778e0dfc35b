"""Probabilities in place of logits are recognised, small logits are not taken for them, and logarithms are exact."""

import copy

import pytest
import torch
from monai.networks.nets import UNet as MonaiUNet
from torch import nn
from torch.nn import functional as F

from medkd.networks import FeatureTaps, UNet
from medkd.teachers import NNUNet, SingleTeacher, TeacherAdapter, frozen, load_teacher
from medkd.teachers.cache_files import fingerprint
from medkd.teachers.outputs import log_probabilities

from .builders import WINDOW, make_bundle, make_monai_unet, make_task_teacher, save_script

IMAGE = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


class Ending(nn.Module):
    """A network with something behind it."""

    def __init__(self, network, last):
        super().__init__()
        self.network, self.last = network, last

    def forward(self, x):
        return self.last(self.network(x))


class Call(nn.Module):
    def __init__(self, call):
        super().__init__()
        self.call = call

    def forward(self, x):
        return self.call(x)


def adapt(last, classes=2, channels=None, **options):
    torch.manual_seed(0)
    network = Ending(
        make_monai_unet(2, channels or classes), last if isinstance(last, nn.Module) else Call(last)
    ).eval()
    return network, TeacherAdapter(network, "F", (2, 1), classes, **options)


ENDINGS = {
    "softmax": nn.Softmax(1),
    "softmax of large logits": Call(lambda x: (50 * x).softmax(1)),
    "softmax in half precision": Call(lambda x: x.softmax(1).half()),
    "softmax with a temperature": Call(lambda x: (x / 10).softmax(1)),
    "softmax of half the size, resized": Call(lambda x: F.interpolate(x[..., ::2, ::2].softmax(1), scale_factor=2)),
    "sigmoid": nn.Sigmoid(),
    "sigmoid written out": Call(lambda x: 1 / (1 + torch.exp(-x))),
    "clamped": Call(lambda x: x.clamp(0, 1)),
    "deep supervision": Call(lambda x: [x.softmax(1), F.avg_pool2d(x, 2).softmax(1)]),
    "a dictionary": Call(lambda x: {"out": x.softmax(1), "aux": x}),
    "softmax in 8 bits": Call(lambda x: 255 * x.softmax(1)),
    "softmax in 8 bits, half precision": Call(lambda x: (255 * x.softmax(1)).half()),
    "softmax in percent": Call(lambda x: 100 * x.softmax(1)),
    "softmax times 7": Call(lambda x: 7 * x.softmax(1)),
    "sigmoid in 8 bits": Call(lambda x: 255 * x.sigmoid()),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_probabilities_are_refused_with_the_way_out(name):
    message = (
        r"^--teacher F: found probabilities \(of a softmax or sigmoid\)( times [\d.]+)?, expected logits: "
        "give --teacher_output probab"
    )
    with pytest.raises(ValueError, match=message) as caught:
        adapt(ENDINGS[name])
    assert "\n" not in str(caught.value)
    adapt(ENDINGS[name], output="logits")
    adapt(ENDINGS[name], output="probabilities")


def test_one_channel_of_a_sigmoid():
    with pytest.raises(ValueError, match="--teacher_output probabilities"):
        adapt(nn.Sigmoid(), channels=1)
    network, teacher = adapt(nn.Sigmoid(), channels=1, output="probabilities")
    torch.testing.assert_close(teacher(IMAGE).softmax(1)[:, 1:], network(IMAGE))


def test_the_logarithm_gives_the_same_probabilities():
    network, teacher = adapt(nn.Softmax(1), output="probabilities")
    torch.testing.assert_close(teacher(IMAGE).softmax(1), network(IMAGE))
    p = torch.tensor([[[[1.0]], [[0.0]]]])
    assert log_probabilities(p).isfinite().all()


@pytest.mark.parametrize("channels", [1, 2])
def test_probabilities_on_another_scale_are_divided(channels):
    last = Call(lambda x: 255 * (x.sigmoid() if channels == 1 else x.softmax(1)))
    network, teacher = adapt(last, channels=channels, output="probabilities")
    torch.testing.assert_close(teacher(IMAGE).softmax(1)[:, -1:], network(IMAGE)[:, -1:] / 255)
    assert "log of 1/255" in teacher.extra_repr()


@pytest.mark.parametrize("last", [lambda x: x.argmax(1, True) / 3, lambda x: (x > 0) * 127.5])
def test_labels_on_another_scale_are_refused(last):
    for output in ("auto", "probabilities", "logits"):
        with pytest.raises(
            ValueError, match=r"^--teacher F: found multiples of [\d.e+]+ alone \(hard labels\), expected log"
        ):
            adapt(last, classes=2, output=output)


def test_merged_classes_are_summed():
    torch.manual_seed(0)
    network = Ending(make_monai_unet(2, 3), nn.Softmax(1)).eval()
    teacher = TeacherAdapter(network, "F", (2, 1), 2, [0, 0, 1], output="probabilities")
    torch.testing.assert_close(teacher(IMAGE).softmax(1)[:, 1], network(IMAGE)[:, 2])


LOGITS = {
    "small": lambda x: 0.01 * x,
    "small and positive": lambda x: 0.5 + 0.001 * x,
    "in 0 to 1 with a ReLU": lambda x: torch.relu(0.1 * x),
    "log-probabilities": lambda x: x.log_softmax(1),
    "large": lambda x: 1e4 * x,
    "zero": lambda x: 0 * x,
    "squashed": lambda x: torch.tanh(x),
    "cut": lambda x: (3 * x).clamp(0, 6),
    "positive": lambda x: 20 + x,
    "of a constant sum": lambda x: 50 + torch.cat([x[:, :1], -x[:, :1]], 1),
}


@pytest.mark.parametrize("name", LOGITS)
def test_no_false_alarm(name):
    network, teacher = adapt(LOGITS[name])
    before = copy.deepcopy(network.state_dict())
    torch.testing.assert_close(teacher(IMAGE), network(IMAGE))
    teacher(IMAGE.abs())
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in before.items())


def test_an_untrained_network_of_medkd_or_monai_is_no_false_alarm():
    for seed in range(20):
        torch.manual_seed(seed)
        for network in (
            UNet(2, 1, 2, width=2),
            MonaiUNet(2, 1, 1, (4, 8), (2,)),
            MonaiUNet(2, 1, 2, (4, 8), (2,), norm="batch"),
        ):
            TeacherAdapter(network, "F", (2, 1), 2)


def test_logits_are_no_probabilities():
    with pytest.raises(
        ValueError, match="^--teacher F: found values of .*, expected probabilities as --teacher_output says"
    ):
        adapt(nn.Identity(), output="probabilities")


def test_the_first_images_are_looked_at_too():
    """What noise does not show: a network that fails on the images alone, or that gives labels of them."""
    noise = []

    def fails(x):
        noise.append(x)
        return torch.cat([x, -x], 1) if len(noise) < 3 else x / 0

    teacher = TeacherAdapter(Call(fails), "F", (2, 1), 2)
    with pytest.raises(ValueError, match="found NaN or infinity"):
        teacher(IMAGE)


def test_later_images_cost_no_look(monkeypatch):
    from medkd.teachers import adapter

    _, teacher = adapt(nn.Identity())
    teacher(IMAGE)
    monkeypatch.setattr(adapter, "probability_scale", None)
    monkeypatch.setattr(torch.Tensor, "any", None)
    teacher(IMAGE)


@pytest.fixture
def softmax(tmp_path):
    return Ending(make_monai_unet(), nn.Softmax(1)).eval()


def test_torchscript_bundle_and_ensemble(tmp_path, softmax):
    script = save_script(tmp_path / "t.ts", softmax)
    code = "import torch\nfrom monai.networks.nets import UNet\nclass Net(torch.nn.Module):\n    def __init__(self):\n"
    code += "        super().__init__()\n        self.network = UNet(2, 1, 2, (4, 8, 16), (2, 2))\n"
    code += "    def forward(self, x):\n        return self.network(x).softmax(1)\n"
    definition = {"_target_": "scripts.net.Net"}
    bundle = make_bundle(tmp_path / "b", softmax, network_def=definition)
    (bundle / "scripts").mkdir()
    (bundle / "scripts/net.py").write_text(code)
    torch.save(make_task_teacher().state_dict(), tmp_path / "run.pt")
    for path in (script, bundle, [script, tmp_path / "run.pt"]):
        with pytest.raises(ValueError, match="found probabilities .*, expected logits: give --teacher_output"):
            load_teacher(path, make_task_teacher(), 2)
    for path in (script, bundle):
        teacher = load_teacher(path, make_task_teacher(), 2, output="probabilities").eval()
        torch.testing.assert_close(teacher(IMAGE).softmax(1), softmax(IMAGE))
    plain = save_script(tmp_path / "p.ts", softmax.network)
    ensemble = load_teacher([script, plain, tmp_path / "run.pt"], make_task_teacher(), 2, output="probabilities").eval()
    torch.testing.assert_close(ensemble.members[0](IMAGE).softmax(1), ensemble.members[1](IMAGE).softmax(1))
    with pytest.raises(ValueError, match="no teacher returns probabilities"):
        load_teacher([plain, plain], make_task_teacher(), 2, output="probabilities")
    with pytest.raises(ValueError, match="--teacher_output: found .*, a medkd run, expected an external teacher"):
        load_teacher(tmp_path / "run.pt", make_task_teacher(), 2, output="probabilities")
    with pytest.raises(ValueError, match="--teacher_output: found 'soft', expected auto, logits or probabilities"):
        load_teacher(script, make_task_teacher(), 2, output="soft")


def test_an_nnunet_with_a_softmax(nnunet_model, tmp_path, monkeypatch):
    network = nnunet_model(tmp_path / "model")
    logits = network(IMAGE).detach()
    forward = NNUNet.forward
    monkeypatch.setattr(NNUNet, "forward", lambda self, image: forward(self, image).softmax(1))
    with pytest.raises(
        ValueError, match="^--teacher nnU-Net .*: found probabilities .*, expected logits: give --teacher_output"
    ):
        load_teacher(tmp_path / "model", make_task_teacher(), 2, WINDOW, "unscaled")
    teacher = load_teacher(tmp_path / "model", make_task_teacher(), 2, WINDOW, "unscaled", output="probabilities")
    torch.testing.assert_close(teacher(IMAGE).softmax(1), logits.softmax(1))


def test_a_teacher_def_of_the_user_with_a_softmax(tmp_path, softmax):
    torch.save(softmax.state_dict(), tmp_path / "model.pt")
    with pytest.raises(ValueError, match="found probabilities, expected logits: leave the softmax out of teacher_def"):
        load_teacher(tmp_path, softmax, 2)
    torch.save(softmax.network.state_dict(), tmp_path / "model.pt")
    load_teacher(tmp_path, softmax.network, 2)


def test_cached_soft_labels_tell_logarithms_apart(tmp_path, softmax):
    path = save_script(tmp_path / "t.ts", softmax)
    one, two = (
        fingerprint(
            SingleTeacher(frozen(FeatureTaps(load_teacher(path, make_task_teacher(), 2, WINDOW, output=kind)))), 16
        )
        for kind in ("logits", "probabilities")
    )
    assert one != two


def test_outputs_with_the_number_of_classes_are_preferred():
    image = torch.rand(1, 1, 8, 8)
    logits = lambda x: torch.cat([x, -x], 1)  # noqa: E731
    for answer in (
        lambda x: (logits(x), torch.cat([x] * 7, 1)),
        lambda x: {"logits": logits(x), "embedding": torch.cat([x] * 7, 1)},
        lambda x: {"seg": logits(x)},
        lambda x: {"out": [logits(x), logits(x)[..., ::2, ::2]], "aux": x},
    ):
        torch.testing.assert_close(TeacherAdapter(Call(answer), "F", (2, 1), 2)(image), logits(image))
