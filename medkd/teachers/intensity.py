"""Our images on the intensity scale of a teacher that was trained elsewhere."""

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
    """scale * x + shift of values clipped to low..high, x being HU where the task has a window."""

    scale: float = 1.0
    shift: float = 0.0
    low: float = -math.inf
    high: float = math.inf

    def __call__(self, x: Tensor) -> Tensor:
        return x.clamp(self.low, self.high) * self.scale + self.shift


@dataclass(frozen=True)
class ZScore:
    """Mean 0 and deviation 1 of each image as it is given: of a patch or slice, where nnU-Net took the whole case."""

    def __call__(self, x: Tensor) -> Tensor:
        axes = tuple(range(2, x.ndim))
        mean, deviation = x.mean(axes, keepdim=True), x.std(axes, correction=0, keepdim=True)
        return (x - mean) / deviation.clamp_min(1e-8)


@dataclass(frozen=True)
class RescaleTo01:
    """Each image as it is given, from its smallest to its largest value, to 0..1."""

    def __call__(self, x: Tensor) -> Tensor:
        axes = tuple(range(2, x.ndim))
        x = x - x.amin(axes, keepdim=True)
        return x / x.amax(axes, keepdim=True).clamp_min(1e-8)


Scaling = Linear | ZScore | RescaleTo01


def range_scaling(a_min: float, a_max: float, b_min: float, b_max: float, clip: bool = True) -> Linear:
    """a_min..a_max to b_min..b_max, as MONAI's ScaleIntensityRange.

    Raises:
        ValueError: when a_min is not below a_max.
    """
    if not a_min < a_max:
        raise ValueError(f"intensity: a_min {a_min} found, expected less than a_max {a_max}")
    scale = (b_max - b_min) / (a_max - a_min)
    return Linear(scale, b_min - a_min * scale, *((a_min, a_max) if clip else ()))


def ct_normalization(properties: Mapping[str, float]) -> Linear:
    """nnU-Net's CTNormalization, by the percentiles, mean and deviation (HU) of its training set's foreground."""
    scale = 1 / max(properties["std"], 1e-8)
    low, high = properties["percentile_00_5"], properties["percentile_99_5"]
    return Linear(scale, -properties["mean"] * scale, low, high)


def named_scaling(scheme: str) -> Scaling | None:
    """nnU-Net's other normalizations by name; None for one that is not known here."""
    known = {"ZScoreNormalization": ZScore(), "RescaleTo01Normalization": RescaleTo01(), "NoNormalization": Linear()}
    return known.get(scheme)


@dataclass(frozen=True)
class Intensity:
    """From our images, -1..1 inside the task's window, to the teacher's scale. What the window cut off stays cut off.

    Args:
        scalings: one for each channel, or one for all.
        window: the HU of -1 and 1; None where the task has none: values are then taken as they are.
    """

    scalings: Sequence[Scaling]
    window: Sequence[float] | None = None

    def __call__(self, image: Tensor) -> Tensor:
        """(N, C, *spatial), and so back."""
        if self.window is not None:
            low, high = self.window
            image = low + (image + 1) * ((high - low) / 2)
        if len(self.scalings) == 1:
            return self.scalings[0](image)
        parts = image.split(1, dim=1)
        return torch.cat([scaling(part) for scaling, part in zip(self.scalings, parts, strict=True)], dim=1)
