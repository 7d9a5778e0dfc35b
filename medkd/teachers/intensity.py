"""Intensities of medkd's images on the scale that an external teacher was trained with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = [
    "Intensity",
    "Linear",
    "RescaleTo01",
    "Scaling",
    "ZScore",
    "ct_normalization",
    "named_scaling",
    "range_scaling",
]


@dataclass(frozen=True)
class Linear:
    """Clip values to low..high, then return scale * x + shift; x is in HU if the task has a window."""

    scale: float = 1.0
    shift: float = 0.0
    low: float = -math.inf
    high: float = math.inf

    def __call__(self, x: Tensor) -> Tensor:
        """Return x, a tensor of any shape, on the new scale."""
        return x.clamp(self.low, self.high) * self.scale + self.shift


@dataclass(frozen=True)
class ZScore:
    """Scale each image to mean 0 and standard deviation 1.

    The statistics are those of the patch or slice that is passed in. nnU-Net takes those of the whole case.
    """

    def __call__(self, x: Tensor) -> Tensor:
        """Return images (N, C, *spatial), each channel of each image scaled by itself."""
        axes = tuple(range(2, x.ndim))
        mean, deviation = x.mean(axes, keepdim=True), x.std(axes, correction=0, keepdim=True)
        return (x - mean) / deviation.clamp_min(1e-8)


@dataclass(frozen=True)
class RescaleTo01:
    """Scale each image from its smallest to its largest value, to 0..1.

    The values are those of the patch or slice that is passed in.
    """

    def __call__(self, x: Tensor) -> Tensor:
        """Return images (N, C, *spatial), each channel of each image scaled by itself."""
        axes = tuple(range(2, x.ndim))
        x = x - x.amin(axes, keepdim=True)
        return x / x.amax(axes, keepdim=True).clamp_min(1e-8)


Scaling = Linear | ZScore | RescaleTo01


def range_scaling(a_min: float, a_max: float, b_min: float, b_max: float, clip: bool = True) -> Linear:
    """Return the scaling of a_min..a_max to b_min..b_max, as MONAI's ScaleIntensityRange.

    Raises:
        ValueError: If a_min is not below a_max.

    Example:
        >>> range_scaling(-100, 300, 0, 1)(torch.tensor([-200.0, 100.0, 300.0]))
        tensor([0.0000, 0.5000, 1.0000])
    """
    if not a_min < a_max:
        raise ValueError(f"intensity: found a_min {a_min}, expected less than a_max {a_max}")
    scale = (b_max - b_min) / (a_max - a_min)
    return Linear(scale, b_min - a_min * scale, *((a_min, a_max) if clip else ()))


def ct_normalization(properties: Mapping[str, float]) -> Linear:
    """Return nnU-Net's CTNormalization.

    Args:
        properties: percentiles, mean and standard deviation (HU) of the foreground of nnU-Net's training set.
    """
    scale = 1 / max(properties["std"], 1e-8)
    low, high = properties["percentile_00_5"], properties["percentile_99_5"]
    return Linear(scale, -properties["mean"] * scale, low, high)


def named_scaling(scheme: str) -> Scaling | None:
    """Return one of nnU-Net's other normalizations by its name; None for an unknown name."""
    scalings: dict[str, Scaling] = {
        "ZScoreNormalization": ZScore(),
        "RescaleTo01Normalization": RescaleTo01(),
        "NoNormalization": Linear(),
    }
    return scalings.get(scheme)


@dataclass(frozen=True)
class Intensity:
    """Convert medkd's intensities, -1..1 inside the task's window, to the teacher's scale.

    Values that the window clipped stay clipped.

    Args:
        scalings: one for each channel, or one for all.
        window: the HU of -1 and 1; None if the task has no window: the scalings then see the values as they are.

    Example:
        >>> to_teacher = Intensity([range_scaling(-200, 300, 0, 1)], window=(-200, 300))
        >>> to_teacher(torch.tensor([[[[-1.0, 0.0, 1.0]]]]))
        tensor([[[[0.0000, 0.5000, 1.0000]]]])
    """

    scalings: Sequence[Scaling]
    window: Sequence[float] | None = None

    def __call__(self, image: Tensor) -> Tensor:
        """Return an image (N, C, *spatial) on the teacher's scale."""
        if self.window is not None:
            low, high = self.window
            image = low + (image + 1) * ((high - low) / 2)
        if len(self.scalings) == 1:
            return self.scalings[0](image)
        channels = image.split(1, dim=1)
        return torch.cat([scaling(channel) for scaling, channel in zip(self.scalings, channels, strict=True)], dim=1)
