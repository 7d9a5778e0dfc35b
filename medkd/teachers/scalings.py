"""Scalings of intensities: what a preprocessing does with an image, step by step."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from monai.transforms.intensity import array
from monai.utils.type_conversion import convert_to_tensor
from torch import Tensor

__all__ = [
    "ArrayTransform",
    "Chain",
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

    The statistics are those of the patch or slice that is passed in. nnU-Net takes those of the whole case, as cached soft
    labels of volumes do.
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


@dataclass(frozen=True)
class ArrayTransform:
    """Scale each image by one of MONAI's intensity transforms.

    Args:
        name: of the class in ``monai.transforms``, one of `ArrayTransform.NAMES`.
        arguments: of the class, by name.

    Example:
        >>> ArrayTransform("ScaleIntensity", (("maxv", 10.0),))(torch.tensor([[[1.0, 2.0, 3.0]]]))
        tensor([[[ 0.,  5., 10.]]])
    """

    # those whose values depend on nothing but an image's own intensities
    NAMES = (
        "AdjustContrast",
        "ClipIntensityPercentiles",
        "NormalizeIntensity",
        "ScaleIntensity",
        "ScaleIntensityRangePercentiles",
        "ShiftIntensity",
        "StdShiftIntensity",
        "ThresholdIntensity",
    )

    name: str
    arguments: tuple[tuple[str, Any], ...] = ()

    @property
    def has_statistics(self) -> bool:
        """Whether a voxel's new value depends on other voxels, or on exact zeros, which a window does not keep."""
        arguments = dict(self.arguments)
        if self.name == "NormalizeIntensity":
            is_constant = all(arguments.get(name) is not None for name in ("subtrahend", "divisor"))
            return not is_constant or bool(arguments.get("nonzero"))
        if self.name == "ScaleIntensity":
            return any(arguments.get(name, default) is not None for name, default in (("minv", 0), ("maxv", 1)))
        return self.name not in ("ShiftIntensity", "ThresholdIntensity")

    def __call__(self, x: Tensor) -> Tensor:
        """Return images (N, C, *spatial), each scaled by itself."""
        transform = getattr(array, self.name)(**dict(self.arguments))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of images of one value, as those of a dry forward
            # some of the transforms write into their input
            return torch.stack([convert_to_tensor(transform(image.clone()), track_meta=False) for image in x])


@dataclass(frozen=True)
class Chain:
    """Apply several scalings, one after the other."""

    steps: tuple[Linear | ArrayTransform, ...]

    @property
    def statistics(self) -> str:
        """Name of the first transform that needs the whole image; empty if none does."""
        transforms = (step for step in self.steps if isinstance(step, ArrayTransform))
        return next((transform.name for transform in transforms if transform.has_statistics), "")

    def with_percentiles_at(self, percentiles: tuple[float, float], values: tuple[float, float]) -> Chain:
        """Return the chain for images whose percentiles lie at known values: their scaling is then linear."""
        first, *rest = self.steps
        if not isinstance(first, ArrayTransform) or first.name != "ScaleIntensityRangePercentiles":
            return self
        arguments = dict(first.arguments)
        b_min, b_max = (arguments.get(name) for name in ("b_min", "b_max"))
        is_same = [arguments.get(name) for name in ("lower", "upper")] == list(percentiles)
        if not is_same or arguments.get("relative") or b_min is None or b_max is None:
            return self
        return Chain((range_scaling(*values, b_min, b_max, clip=bool(arguments.get("clip"))), *rest))

    def __call__(self, x: Tensor) -> Tensor:
        """Return images (N, C, *spatial), scaled."""
        for step in self.steps:
            x = step(x)
        return x


Scaling = Linear | ZScore | RescaleTo01 | Chain


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
        "RGBTo01Normalization": Linear(1 / 255),
    }
    return scalings.get(scheme)
