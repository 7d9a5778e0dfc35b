"""Checks, precision, resizing, and tempered divergence, shared by all losses."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from medkd.networks import Features

__all__ = [
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "check_axes",
    "check_channels",
    "check_classes",
    "check_features",
    "check_num_classes",
    "check_positive",
    "check_same_batch",
    "check_same_shape",
    "check_standardize",
    "full_precision",
    "l2_norm",
    "last_channels",
    "no_autocast",
    "one_hot_at",
    "resize",
    "smallest_size",
    "standardize_logits",
    "tempered_kl",
]

# float16 and bfloat16 lose the small differences that distillation is about, and x^4 overflows float16 from 16 on.
_HALF = (torch.float16, torch.bfloat16)


def check_positive(name: str, **values: float) -> None:
    """Raise ValueError, with the class and the argument, for a value that is not above zero."""
    for argument, value in values.items():
        if not value > 0:
            raise ValueError(f"{name}: {argument} must be positive, found {value!r}")


def check_same_shape(name: str, student: Tensor, teacher: Tensor) -> None:
    """Raise ValueError when the two tensors differ in shape."""
    if student.shape != teacher.shape:
        raise ValueError(
            f"{name}: student {tuple(student.shape)} and teacher {tuple(teacher.shape)} must have the same shape"
        )


def check_num_classes(name: str, num_classes: int) -> None:
    """Raise ValueError for one class: its softmax is 1 everywhere."""
    if num_classes < 2:
        raise ValueError(
            f"{name}: num_classes {num_classes} found, expected 2 or more: write a sigmoid head z as [0, z]"
        )


def check_standardize(name: str, num_classes: int) -> None:
    """Raise ValueError for two classes: their standardised logits are the same numbers for all logits."""
    if num_classes == 2:
        raise ValueError(
            f"{name}: standardize: found 2 classes, expected 3 or more: two standardised logits are always 0.71 and "
            "-0.71, without a gradient"
        )


def check_classes(name: str, logits: Tensor) -> None:
    """Raise ValueError for logits of one channel: their softmax is 1 everywhere."""
    if logits.shape[1] < 2:
        raise ValueError(f"{name}: logits {tuple(logits.shape)} have one channel: write a sigmoid head z as [0, z]")


def check_same_batch(name: str, student: Tensor, teacher: Tensor) -> None:
    """Raise ValueError when two maps (N, C, *spatial) differ in batch size or in the number of axes."""
    if student.ndim != teacher.ndim or student.shape[0] != teacher.shape[0]:
        raise ValueError(
            f"{name}: student {tuple(student.shape)} and teacher {tuple(teacher.shape)} must have "
            "the same batch size and number of axes"
        )


def check_channels(name: str, spatial_dims: int, channels: tuple[int, int], student: Tensor, teacher: Tensor) -> None:
    """Raise ValueError when two maps (N, C, *spatial) do not fit the learnable parts of a loss."""
    check_same_batch(name, student, teacher)
    check_axes(name, spatial_dims, student, teacher)
    if (student.shape[1], teacher.shape[1]) != channels:
        raise ValueError(
            f"{name}: student {tuple(student.shape)} and teacher {tuple(teacher.shape)} must have "
            f"{channels[0]} and {channels[1]} channels"
        )


def check_axes(name: str, spatial_dims: int, student: Tensor, teacher: Tensor) -> None:
    """Raise ValueError when maps (N, C, *spatial) do not have the number of axes of a loss."""
    if not student.ndim == teacher.ndim == spatial_dims + 2:
        raise ValueError(
            f"{name}: student {tuple(student.shape)} and teacher {tuple(teacher.shape)} must have "
            f"{spatial_dims} spatial axes"
        )


def check_features(
    name: str, student: Features, teacher: Features, channels: Sequence[int], late_channels: int, num_classes: int
) -> None:
    """Raise ValueError when the encoder taps or the logits of a pair do not fit the learnable parts of a loss."""
    student_channels = tuple(stage.shape[1] for stage in student.encoder)
    if student_channels != tuple(channels):
        raise ValueError(f"{name}: student encoder channels {student_channels} and student_channels {tuple(channels)}")
    if not teacher.encoder or teacher.encoder[-1].shape[1] != late_channels:
        teacher_channels = tuple(stage.shape[1] for stage in teacher.encoder)
        raise ValueError(f"{name}: teacher encoder channels {teacher_channels}, expected {late_channels} at the end")
    for stage in student.encoder:
        for teacher_map in (teacher.encoder[-1], teacher.logits):
            check_same_batch(name, stage, teacher_map)
    if teacher.logits.shape[1] != num_classes:
        raise ValueError(
            f"{name}: student {tuple(student.logits.shape)} and teacher {tuple(teacher.logits.shape)} logits, "
            f"expected {num_classes} classes"
        )


def last_channels(channels: Sequence[int] | int) -> int:
    """Return the channels of the bottleneck, given those of all encoder stages or of the bottleneck alone."""
    return channels if isinstance(channels, int) else channels[-1]


def full_precision(tensor: Tensor) -> Tensor:
    """Convert float16 and bfloat16 to float32; leave float32 and float64 as they are."""
    return tensor.float() if tensor.dtype in _HALF else tensor


def no_autocast(tensor: Tensor) -> AbstractContextManager:
    """Switch autocast off on the tensor's device: it would compute matrix products in half precision."""
    return torch.autocast(tensor.device.type, enabled=False)


def smallest_size(maps: Sequence[Tensor]) -> tuple[int, ...]:
    """Return the smallest spatial size, axis by axis, of maps (N, C, *spatial)."""
    return tuple(min(sizes) for sizes in zip(*(feature.shape[2:] for feature in maps), strict=True))


def resize(tensor: Tensor, size: Sequence[int]) -> Tensor:
    """Interpolate a map (N, C, *spatial) to a spatial size, bilinearly or trilinearly.

    Corners are not aligned and there is no antialiasing. A map of that size is returned as it is.
    """
    size = tuple(size)
    if tuple(tensor.shape[2:]) == size:
        return tensor
    return F.interpolate(tensor, size=size, mode="bilinear" if len(size) == 2 else "trilinear", align_corners=False)


def adaptive_avg_pool(feature: Tensor, size: int | Sequence[int]) -> Tensor:
    """Average-pool a map (N, C, *spatial) to a spatial size."""
    pool: Callable[[Tensor, Any], Tensor] = F.adaptive_avg_pool2d if feature.ndim == 4 else F.adaptive_avg_pool3d
    return pool(feature, size)


def adaptive_max_pool(feature: Tensor, size: int | Sequence[int]) -> Tensor:
    """Max-pool a map (N, C, *spatial) to a spatial size."""
    pool: Callable[[Tensor, Any], Tensor] = F.adaptive_max_pool2d if feature.ndim == 4 else F.adaptive_max_pool3d
    return pool(feature, size)


def one_hot_at(name: str, target: Tensor | None, feature: Tensor, num_classes: int) -> Tensor:
    """Return the labels at the size of a map, one channel a class.

    The labels are resized with mode "nearest": a lesion of a few pixels may vanish on a coarse map.

    Args:
        name: the class of the loss, for error messages.
        target: integer labels (N, 1, *any).
        feature: the map (N, C, *spatial).
        num_classes: K.

    Returns:
        1 where a position has the class, else 0: (N, K, P), of the map's data type, P positions.

    Raises:
        ValueError: without a target, or when it does not fit the map.
    """
    if target is None:
        raise ValueError(f"{name}: needs a target, found None")
    if target.ndim != feature.ndim or target.shape[0] != feature.shape[0] or target.shape[1] != 1:
        raise ValueError(
            f"{name}: target {tuple(target.shape)} does not fit the map {tuple(feature.shape)}, "
            "expected (N, 1, *spatial) with the same batch size and number of axes"
        )
    labels = F.interpolate(target.to(feature.dtype), size=feature.shape[2:], mode="nearest").flatten(2)
    classes = torch.arange(num_classes, device=feature.device, dtype=feature.dtype).reshape(1, -1, 1)
    return (labels == classes).to(feature.dtype)


def standardize_logits(logits: Tensor) -> Tensor:
    """Return logits (N, K, ...) less their mean over the classes, divided by their unbiased standard deviation.

    Example:
        >>> standardize_logits(torch.tensor([[1.0, 2.0, 3.0]]))
        tensor([[-1.0000,  0.0000,  1.0000]])
    """
    centred = logits - logits.mean(dim=1, keepdim=True)
    deviation = l2_norm(centred, dim=1, keepdim=True) / math.sqrt(logits.shape[1] - 1)
    return centred / (deviation + 1e-7)


def l2_norm(tensor: Tensor, dim: int | tuple[int, ...], keepdim: bool = False) -> Tensor:
    """Return the L2 norm along axes, with a gradient of zeros where all values are 0, as `torch.linalg.vector_norm`.

    Along any axis but the last one, that function is many times slower on a CPU, as are `torch.std` and `F.normalize`.

    Example:
        >>> l2_norm(torch.tensor([[3.0, 1.0], [4.0, 0.0]]), dim=0)
        tensor([5., 1.])
    """
    # the smallest normal number keeps the derivative of the root finite at 0
    return tensor.square().sum(dim=dim, keepdim=keepdim).add_(torch.finfo(tensor.dtype).tiny).sqrt_()


def tempered_kl(student: Tensor, log_target: Tensor, temperature: float) -> Tensor:
    """Return T^2 times the mean over images and positions of KL(target || softmax(student / T)).

    Args:
        student: logits (N, K, *spatial).
        log_target: log-probabilities (N, K, *spatial), already tempered.
        temperature: T; its square keeps the size of the gradient independent of T.
    """
    log_student = F.log_softmax(student / temperature, dim=1)
    divergence = F.kl_div(log_student, log_target, reduction="none", log_target=True)
    return divergence.sum(dim=1).mean() * temperature**2
