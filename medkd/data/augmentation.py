"""Random transforms of training: what ``--augmentation`` and ``--flip_axes`` mean, for slices, pictures and patches."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import (
    EnsureTyped,
    MapTransform,
    RandAdjustContrast,
    RandFlipd,
    Randomizable,
    RandomizableTransform,
    RandRotate90d,
    RandRotated,
    RandScaleIntensity,
    RandSimulateLowResolution,
    RandZoomd,
    Transform,
)

from medkd.configs.table import ID_OPTIONS
from medkd.io.paths import PathLike

from .dataset_properties import dataset_property

__all__ = ["AUGMENTATIONS", "AXES", "RandChannelwised", "flip_axes", "random_transforms"]

AXES = ID_OPTIONS["flip_axes"].choices  # of stored volumes; slices and pictures have the last two
AUGMENTATIONS = ID_OPTIONS["augmentation"].choices
# Ranges and probabilities of nnU-Net (Isensee et al., Nature Methods 2021; nnunetv2's nnUNetTrainer): patches longer than
# three times their first axis are rotated in the plane alone. Its rotations of 180 degrees would exchange sides.
_ANGLE, _LONG_ANGLE, _LONG_PICTURE, _LONG_PATCH = np.deg2rad(30), np.deg2rad(15), 1.5, 3
_SPATIAL_PROB, _ZOOM = 0.2, (0.7, 1.4)


def flip_axes(dataset_dir: PathLike, mode: str = "2d") -> list[str]:
    """Return the axes that may be flipped, as `medkd prepare` proposed them; all for a data set without a proposal.

    Args:
        dataset_dir: folder of the prepared data set.
        mode: ``"3d"``: axes of volumes; ``"2d"``: of slices or pictures.
    """
    names = AXES if mode == "3d" else AXES[1:]
    return [axis for axis in _as_list(dataset_property(dataset_dir, "flip_axes", AXES)) if axis in names]


def random_transforms(
    keys: Sequence[str], image_size: Sequence[int], flip_axes: str | Sequence[str] | None, augmentation: str = "paper"
) -> list[Transform]:
    """Return the random transforms of training, which end with plain tensors.

    ``"paper"``: flips, and rotations by 90 degrees of square images. ``"strong"``: also rotation by up to 30 degrees,
    scaling by 0.7 to 1.4, and, for each channel of the image by itself, brightness, gamma and a lower resolution. There is no
    Gaussian noise, which the HLFD paper found harmful. All keys move together: labels by nearest neighbours, images and soft
    labels linearly; what lies outside repeats the border. Intensities change in the image alone: a teacher that runs in each
    step sees what the student sees, cached soft labels are those of the unchanged image.

    Args:
        keys: keys of an item that move together: the image, the label, and others such as cached soft labels.
        image_size: edges of the image; their number is that of the spatial axes.
        flip_axes: names of the axes that may be flipped, of `AXES`; None: none. Rotations by 90 degrees need both axes of the
            plane.
        augmentation: one of `AUGMENTATIONS`.

    Raises:
        ValueError: for an unknown augmentation or axis.

    Example:
        >>> [type(transform).__name__ for transform in random_transforms(["image", "label"], [64, 64], ["columns"])]
        ['RandFlipd', 'RandRotate90d', 'EnsureTyped']
    """
    if augmentation not in AUGMENTATIONS:
        raise ValueError(f"--augmentation: found {augmentation!r}, expected one of {', '.join(AUGMENTATIONS)}")
    dims = len(image_size)
    axes = _axis_numbers(flip_axes, AXES[-dims:])
    plane = (dims - 2, dims - 1)
    # images of one shape make a batch: square ones alone are rotated by 90 degrees
    is_square = image_size[-2] == image_size[-1]
    moves: list[Transform] = [RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in axes]
    moves.append(RandRotate90d(keys, prob=0.75 * (is_square and {*plane} <= {*axes}), spatial_axes=plane))
    if augmentation == "strong":
        moves += [*_spatial_transforms(keys, image_size), *_intensity_transforms("image", dims)]
    return [*moves, EnsureTyped(keys, track_meta=False)]


def _as_list(flip_axes: str | Sequence[str] | None) -> list[str]:
    return [flip_axes] if isinstance(flip_axes, str) else list(flip_axes or ())


def _axis_numbers(flip_axes: str | Sequence[str] | None, names: Sequence[str]) -> list[int]:
    chosen = _as_list(flip_axes)
    for axis in chosen:
        if axis not in names:
            only_3d = " (volumes alone have slices, with --mode 3d)" if axis == AXES[0] else ""
            raise ValueError(f"--flip_axes: found {axis}, expected some of {', '.join(names)}, or None{only_3d}")
    return [number for number, name in enumerate(names) if name in chosen]


def _spatial_transforms(keys: Sequence[str], image_size: Sequence[int]) -> list[Transform]:
    """Return rotation and scaling, each by itself."""
    first, longest = image_size[0], max(image_size)
    is_patch = len(image_size) == 3
    angle = _LONG_ANGLE if not is_patch and longest > _LONG_PICTURE * min(image_size) else _ANGLE
    tilt = angle if is_patch and longest <= _LONG_PATCH * first else 0.0
    linear = "trilinear" if is_patch else "bilinear"
    return [
        RandRotated(
            keys,
            range_x=angle,
            range_y=tilt,
            range_z=tilt,
            prob=_SPATIAL_PROB,
            mode=["nearest" if key == "label" else "bilinear" for key in keys],
            padding_mode="border",
        ),
        RandZoomd(
            keys,
            prob=_SPATIAL_PROB,
            min_zoom=_ZOOM[0],
            max_zoom=_ZOOM[1],
            mode=["nearest-exact" if key == "label" else linear for key in keys],
            padding_mode="edge",
        ),
    ]


def _intensity_transforms(key: str, dims: int) -> list[Transform]:
    linear = "trilinear" if dims == 3 else "bilinear"
    transforms = (
        RandScaleIntensity(factors=0.25, prob=0.15),
        RandSimulateLowResolution(prob=0.125, upsample_mode=linear, zoom_range=(0.5, 1.0)),
        RandAdjustContrast(prob=0.1, gamma=(0.7, 1.5), invert_image=True, retain_stats=True),
        RandAdjustContrast(prob=0.3, gamma=(0.7, 1.5), retain_stats=True),
    )
    return [RandChannelwised(key, transform) for transform in transforms]


class RandChannelwised(Randomizable, MapTransform):
    """Dictionary transform that applies a random transform to each channel with random numbers of its own.

    Args:
        keys: keys of images ``(C, *spatial)``.
        transform: a random transform of arrays that keeps the shape.
        allow_missing_keys: whether an item may lack a key.

    Example:
        >>> transform = RandChannelwised("image", RandScaleIntensity(factors=0.5, prob=1.0)).set_random_state(0)
        >>> transform({"image": torch.ones(2, 4, 4)})["image"].mean((1, 2)).unique().numel()
        2
    """

    def __init__(
        self, keys: KeysCollection, transform: RandomizableTransform, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = transform

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> RandChannelwised:
        """Set the random state of the inner transform."""
        super().set_random_state(seed, state)
        self.transform.set_random_state(seed, state)
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with changed images."""
        item = dict(data)
        for key in self.key_iterator(item):
            item[key] = torch.cat([self.transform(channel) for channel in item[key].split(1)])
        return item
