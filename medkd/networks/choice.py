"""Networks by name: the students and teachers among which a task lets the user choose."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from .resnet_fcn import ResNetFCN
from .transunet import TransUNet
from .unet import UNet
from .unet_plus_plus import UNetPlusPlus

__all__ = ["STUDENTS", "build_student", "build_teacher"]

STUDENTS = {"UNet": UNet, "ResNetFCN": ResNetFCN}


def build_student(architecture: str, spatial_dims: int, in_channels: int, out_channels: int, width: int) -> nn.Module:
    """Build a student by the name of its class.

    Args:
        architecture: "UNet" or "ResNetFCN".
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: classes K, background included.
        width: channels of the first stage.

    Raises:
        ValueError: for another name.

    Example:
        >>> type(build_student("ResNetFCN", 2, 1, 2, width=4)).__name__
        'ResNetFCN'
    """
    if architecture not in STUDENTS:
        raise ValueError(f"--student_architecture: found {architecture!r}, expected {' or '.join(STUDENTS)}")
    return STUDENTS[architecture](spatial_dims, in_channels, out_channels, width=width)


def build_teacher(
    architecture: str,
    spatial_dims: int,
    in_channels: int,
    out_channels: int,
    img_size: Sequence[int],
    width: int,
    num_layers: int,
    deep_supervision: bool = True,
) -> nn.Module:
    """Build a teacher by the name of its class.

    Args:
        architecture: "TransUNet", whose Transformer is as wide as its usual share of ``width``, or "UNetPlusPlus".
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: classes K, background included.
        img_size: edges of the image; read by TransUNet alone.
        width: channels of the first stage.
        num_layers: layers of the Transformer; read by TransUNet alone.
        deep_supervision: whether there are heads on earlier stages of the decoder.

    Raises:
        ValueError: for another name.
    """
    if architecture == "UNetPlusPlus":
        return UNetPlusPlus(spatial_dims, in_channels, out_channels, width=width, deep_supervision=deep_supervision)
    if architecture != "TransUNet":
        raise ValueError(f"--teacher_architecture: found {architecture!r}, expected TransUNet or UNetPlusPlus")
    return TransUNet(
        spatial_dims,
        in_channels,
        out_channels,
        img_size=img_size,
        width=width,
        hidden_size=12 * width,
        mlp_dim=48 * width,
        num_layers=num_layers,
        deep_supervision=deep_supervision,
    )
