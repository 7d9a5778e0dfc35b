"""Any teacher, any student: every method on a Transformer and a convolutional network, in 2-D and 3-D."""

import pytest
import torch
from monai.losses import DiceCELoss
from monai.networks.nets import UNETR, SwinUNETR

from medkd import methods
from medkd.networks import FeatureTaps, ResNetFCN, TappedNetwork, UNet

TAUGHT = [name for name in methods.names() if name != "none"]
ARGUMENTS = {"pseudo": {"labelled": True}}  # all images of these tests have labels


def tapped(network):
    return FeatureTaps(network, **network.default_taps())


@pytest.fixture(scope="module")
def pairs():
    """Number of axes -> (student, teacher): other strides, channels and depths on the two sides."""
    torch.manual_seed(0)
    swin = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, spatial_dims=2)
    stages = ["encoder1", "encoder2", "encoder3", "encoder4", "encoder10"]  # strides 1, 2, 4, 8, 32
    unetr = UNETR(1, 2, 64, 4, hidden_size=24, mlp_dim=24, num_heads=2, spatial_dims=3)
    tokens = ["encoder1", "encoder2", "encoder3", "vit.norm"]  # strides 1, 2, 4, 16
    teachers = (
        TappedNetwork(swin, stages, ["decoder4", "decoder3", "decoder2", "decoder1"], deep_supervision=True),
        TappedNetwork(unetr, tokens, ["decoder4", "decoder3", "decoder2"], deep_supervision=True),
    )
    students = ResNetFCN(2, 1, 2, width=4), UNet(3, 1, 2, width=2)
    return {2: (tapped(students[0]), tapped(teachers[0])), 3: (tapped(students[1]), tapped(teachers[1]))}


@pytest.mark.filterwarnings("ignore:DKDLoss")
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", TAUGHT)
def test_a_transformer_teaches_a_convolutional_student(pairs, name, dims):
    student, teacher = pairs[dims]
    image = torch.rand(2, 1, *[64] * dims, generator=torch.Generator().manual_seed(0))
    target = (image > 0.6).long()
    task = DiceCELoss(softmax=True, to_onehot_y=True)
    loss = methods.build(name, task, student, teacher, ARGUMENTS.get(name))
    student.zero_grad()
    with torch.no_grad():
        guide = teacher.eval()(image)
    value = loss(student(image), guide, target)
    value.backward()
    assert torch.isfinite(value)
    terms = [term.item() for key, term in loss.values.items() if key not in ("task", "holistic")]
    assert terms and all(term > 0 for term in terms)
    assert sum(loss.values.values()).item() == pytest.approx(value.item(), rel=1e-5)
    assert any(p.grad.abs().sum() > 0 for p in student.parameters())
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in loss.adaptors())
    assert all(p.grad is None for p in teacher.parameters())


def test_an_hlfd_teacher_without_heads_is_refused_with_the_way_out(pairs):
    student, teacher = pairs[2]
    bare = teacher(torch.rand(1, 1, 64, 64))._replace(maps=())
    loss = methods.build("hlfd", None, student, teacher).losses["hlfd"]
    with pytest.raises(ValueError, match=r"teacher.maps is empty: .* deep-supervision heads .* lambda_=0"):
        loss(student(torch.rand(1, 1, 64, 64)), bare)


def test_a_tap_that_the_student_has_not_is_named_with_the_method(pairs):
    shallow = FeatureTaps(UNet(2, 1, 2, width=2), encoder=["encoder.0", "bottleneck"])
    with pytest.raises(ValueError, match=r"method hlfd_hifd: tap 'encoder.2': the network has 2 encoder taps"):
        methods.build("hlfd_hifd", None, shallow, pairs[2][1])
