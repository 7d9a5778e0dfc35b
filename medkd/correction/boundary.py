"""The boundary transform of PLC-KD: pixels near a lesion's border and pixels of its interior change places."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["boundary_and_inner", "boundary_transform"]


def boundary_transform(
    image: Tensor,
    label: Tensor,
    width: float = 5,
    ratio: float = 1.0,
    generator: torch.Generator | None = None,
    spacing: Sequence[float] | None = None,
    num_classes: int | None = None,
) -> Tensor:
    """Exchanges equally many random pixels of each lesion's boundary band and interior, all channels together.

    n = min(boundary, interior, ratio * boundary) pixels of each, a class at a time. The label stays as it is, and so does
    every pixel outside the lesions.

    Args:
        image: (N, C, *spatial), 2 or 3 axes.
        label: (N, 1, *spatial) integers; every class above 0 is a lesion.
        width: of the band, inward from the border: pixels, or mm with ``spacing``. 5 pixels at 224 x 224 are ours.
        ratio: share of the band that is exchanged.
        generator: of the random choice, on the image's device.
        num_classes: K; None looks for the highest label, which waits for a GPU.
        spacing: mm an axis. An axis whose spacing exceeds the width is left out: thick slices are treated one by one.

    Returns:
        A new image. A lesion without interior at this width has its band narrowed, one pixel being the least; a lesion of
        a single layer stays as it is.

    Raises:
        ValueError: when label and image do not fit, or ratio or width are negative.

    Reference: Wang et al., PLC-KD, MICCAI 2024. Width, ratio and the small lesions are not in the paper. The border of
    the image is no border of a lesion.
    """
    if label.shape != (image.shape[0], 1, *image.shape[2:]):
        raise ValueError(f"boundary_transform: label {tuple(label.shape)} does not fit the image {tuple(image.shape)}")
    if width < 0 or ratio < 0:
        raise ValueError(f"boundary_transform: width {width} and ratio {ratio} found, expected 0 or more")
    pixels = image.flatten(2)
    classes = int(label.amax()) + 1 if num_classes is None else num_classes
    for lesion in (label == k for k in range(1, classes)):
        boundary, inner = (mask.flatten(2)[:, 0] for mask in boundary_and_inner(lesion, width, spacing))
        pixels = pixels.gather(2, _exchange(boundary, inner, ratio, generator)[:, None].expand_as(pixels))
    return pixels.reshape(image.shape)


def boundary_and_inner(
    lesion: Tensor, width: float = 5, spacing: Sequence[float] | None = None
) -> tuple[Tensor, Tensor]:
    """The band of a mask (N, 1, *spatial), and what it encloses, both boolean: together the lesion.

    Eroded step by step by 3 pixels an axis, as long as something is left.
    """
    lesion = lesion.bool()
    axes = lesion.ndim - 2
    steps = [int(width)] * axes if spacing is None else [int(width / mm + 1e-6) for mm in spacing]
    pool = F.max_pool2d if axes == 2 else F.max_pool3d
    outside, inner = (~lesion).float(), lesion
    for step in range(max(steps, default=0)):
        kernel = [3 if step < count else 1 for count in steps]
        # what lies beyond the image is -inf to max_pool: it does not erode
        outside = pool(outside, kernel, stride=1, padding=[edge // 2 for edge in kernel])
        eroded = outside == 0
        left = eroded.flatten(1).any(dim=1).reshape(-1, *[1] * (axes + 1))
        inner = torch.where(left, eroded, inner)
    return lesion & ~inner, inner


def _exchange(boundary: Tensor, inner: Tensor, ratio: float, generator: torch.Generator | None) -> Tensor:
    """From which place each place takes its pixel: (N, P). No shape depends on how many pixels there are."""
    sizes = boundary.sum(dim=1), inner.sum(dim=1)
    count = torch.minimum(torch.minimum(*sizes), (ratio * sizes[0]).floor().long())
    first, second = (_in_random_order(mask, generator) for mask in (boundary, inner))
    valid = torch.arange(boundary.shape[1], device=boundary.device) < count[:, None]
    source = torch.arange(boundary.shape[1], device=boundary.device).expand_as(first)
    source = source.scatter(1, first, torch.where(valid, second, first))
    return source.scatter(1, second, torch.where(valid, first, source.gather(1, second)))


def _in_random_order(mask: Tensor, generator: torch.Generator | None) -> Tensor:
    """Places (N, P): those of the mask first, shuffled."""
    draws = torch.rand(mask.shape, device=mask.device, generator=generator)
    return torch.where(mask, draws, 2.0).argsort(dim=1)
