"""Why weights do not fit: the options that would build the file's network."""

import pytest
import torch
from monai.networks.nets import UNet as MonaiUNet

from medkd.networks import ResNetFCN, TransUNet, UNet, UNetPlusPlus
from medkd.networks.misfit import explain_misfit


def transunet(width=4, layers=1, size=32, classes=2, heads=False, channels=3):
    sizes = {"hidden_size": 3 * width, "mlp_dim": 12 * width, "units": (1, 1, 1), "num_heads": 3}
    return TransUNet(2, channels, classes, size, width, num_layers=layers, deep_supervision=heads, **sizes)


def unet(dims=2, channels=1, classes=2, width=4, **options):
    return UNet(dims, channels, classes, width, **options)


CASES = [
    (UNetPlusPlus(2, 1, 2, 4), UNetPlusPlus(2, 1, 2, 2), "width 4 in the file, 2 here (--teacher_width 4)"),
    (transunet(8), transunet(4), "width 8 in the file, 4 here (--teacher_width 8)"),
    (ResNetFCN(2, 1, 2, 8), ResNetFCN(2, 1, 2, 4), "width 8 in the file, 4 here (--teacher_width 8)"),
    (unet(classes=3), unet(), "classes, background included: 3 in the file, 2 here (--target as in its training)"),
    (unet(channels=3), unet(), "image channels: 3 in the file, 1 here"),
    (unet(3), unet(2), "a 3-D network in the file, a 2-D network here (--mode 3d)"),
    (unet(2), unet(3), "a 2-D network in the file, a 3-D network here (--mode 2d)"),
    (
        unet(width=2, classes=3, deep_supervision=True),
        unet(deep_supervision=True),
        "width 2 in the file, 4 here (--teacher_width 2); classes, background included: 3 in the file, 2 here (--target as "
        "in its training)",
    ),
    (unet(deep_supervision=True), unet(), "deep-supervision heads: found in the file, none here"),
    (transunet(layers=3), transunet(), "Transformer layers: 3 in the file, 1 here (--teacher_layers 3)"),
    (transunet(size=64), transunet(), "tokens: 16 in the file, 4 here (--image_size 64 64)"),
    (ResNetFCN(2, 1, 2, 4), UNetPlusPlus(2, 1, 2, 4), "the file holds a ResNetFCN, expected a UNetPlusPlus"),
    (ResNetFCN(2, 1, 2, 4), UNet(2, 1, 2, 4), "the file holds a ResNetFCN, expected a UNet"),
    (transunet(), unet(), None),  # other units: no class of medkd with its default sizes
    (UNetPlusPlus(3, 1, 2, 2), unet(3), "the file holds a UNetPlusPlus, expected a UNet"),
    (
        MonaiUNet(2, 1, 2, (8, 16, 32), (2, 2)),
        MonaiUNet(2, 1, 2, (4, 8, 16), (2, 2)),
        "width 8 in the file, 4 here",
    ),
    (torch.nn.Conv2d(1, 2, 1), unet(), "first: encoder.0.0.weight is missing in the file, (4, 1, 3, 3) in the network"),
]


@pytest.mark.parametrize(("file", "network", "text"), CASES, ids=[str(text)[:40] for _, _, text in CASES])
def test_the_nearest_explanation(file, network, text):
    shapes = {name: tuple(value.shape) for name, value in file.state_dict().items()}
    found = explain_misfit(network, shapes, "teacher")
    assert found == text if text else found.startswith("first: ")
