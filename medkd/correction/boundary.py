"""The boundary transform of PLC-KD: exchange pixels of a lesion's border with pixels of its interior."""

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
    """Exchange random pixels of each lesion's boundary band with as many random pixels of its interior.

    All channels of a pixel move together. Each class exchanges n = min(boundary, interior, ratio * boundary) pixels of the
    band with n of the interior. The label stays as it is, and so does every pixel outside the lesions.

    Args:
        image: (N, C, *spatial), with 2 or 3 spatial axes.
        label: (N, 1, *spatial) integers; every class above 0 is a lesion.
        width: width of the band, inward from the border, in pixels, or in mm if ``spacing`` is given. The default of 5
            pixels, at 224 x 224, is ours.
        ratio: share of the band that is exchanged.
        generator: random generator of the choice, on the image's device.
        spacing: mm per pixel of each axis. An axis with a spacing above the width is not eroded: thick slices are treated
            one by one.
        num_classes: K. If None, the highest label is looked up, which makes the host wait for a GPU.

    Returns:
        A new image. If a lesion has no interior at this width, its band is narrowed, down to one pixel. A lesion without
        an interior at one pixel stays as it is.

    Raises:
        ValueError: If the label does not fit the image, or ratio or width is negative.

    Reference: Wang et al., PLC-KD, MICCAI 2024. The paper states neither the width nor the ratio, nor what happens to small
    lesions. A lesion that touches the edge of the image has no border there.

    Example:
        >>> image, label = torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16, dtype=torch.long)
        >>> label[..., 4:12, 4:12] = 1
        >>> exchanged = boundary_transform(image, label, width=2)
        >>> torch.equal(exchanged[label.expand_as(image) == 0], image[label.expand_as(image) == 0])
        True
    """
    if label.shape != (image.shape[0], 1, *image.shape[2:]):
        raise ValueError(
            f"boundary_transform: found label {tuple(label.shape)} for image {tuple(image.shape)}, expected label "
            f"{(image.shape[0], 1, *image.shape[2:])}"
        )
    if width < 0 or ratio < 0:
        raise ValueError(f"boundary_transform: found width {width} and ratio {ratio}, expected 0 or more")
    pixels = image.flatten(2)
    classes = int(label.amax()) + 1 if num_classes is None else num_classes
    for lesion in (label == k for k in range(1, classes)):
        boundary, inner = (mask.flatten(2)[:, 0] for mask in boundary_and_inner(lesion, width, spacing))
        pixels = pixels.gather(2, _exchange(boundary, inner, ratio, generator)[:, None].expand_as(pixels))
    return pixels.reshape(image.shape)


def boundary_and_inner(
    lesion: Tensor, width: float = 5, spacing: Sequence[float] | None = None
) -> tuple[Tensor, Tensor]:
    """Split a lesion into its boundary band and its interior.

    The lesion is eroded step by step by a box of 3 pixels per axis. A step that would leave no interior is not taken.

    Args:
        lesion: mask (N, 1, *spatial).
        width: width of the band, in pixels, or in mm if ``spacing`` is given.
        spacing: mm per pixel of each axis.

    Returns:
        Boundary and interior, boolean masks (N, 1, *spatial) that add up to the lesion.

    Example:
        >>> lesion = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
        >>> lesion[..., 1:7, 1:7] = True
        >>> boundary, inner = boundary_and_inner(lesion, width=2)
        >>> int(boundary.sum()), int(inner.sum())
        (32, 4)
    """
    lesion = lesion.bool()
    axes = lesion.ndim - 2
    steps = [int(width)] * axes if spacing is None else [int(width / mm + 1e-6) for mm in spacing]
    pool = F.max_pool2d if axes == 2 else F.max_pool3d
    outside, inner = (~lesion).float(), lesion
    for step in range(max(steps, default=0)):
        kernel = [3 if step < count else 1 for count in steps]
        # max_pool pads with -inf, so the edge of the image does not erode
        outside = pool(outside, kernel, stride=1, padding=[edge // 2 for edge in kernel])
        eroded = outside == 0
        has_interior = eroded.flatten(1).any(dim=1).reshape(-1, *[1] * (axes + 1))
        inner = torch.where(has_interior, eroded, inner)
    return lesion & ~inner, inner


def _exchange(boundary: Tensor, inner: Tensor, ratio: float, generator: torch.Generator | None) -> Tensor:
    """Return for each position the position that its pixel comes from: (N, P).

    No shape depends on the number of pixels in the masks, so the host does not wait for a GPU.
    """
    sizes = boundary.sum(dim=1), inner.sum(dim=1)
    count = torch.minimum(torch.minimum(*sizes), (ratio * sizes[0]).floor().long())
    boundary_order, inner_order = (_shuffle_mask_first(mask, generator) for mask in (boundary, inner))
    valid = torch.arange(boundary.shape[1], device=boundary.device) < count[:, None]
    source = torch.arange(boundary.shape[1], device=boundary.device).expand_as(boundary_order)
    source = source.scatter(1, boundary_order, torch.where(valid, inner_order, boundary_order))
    return source.scatter(1, inner_order, torch.where(valid, boundary_order, source.gather(1, inner_order)))


def _shuffle_mask_first(mask: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return all positions (N, P): those inside the mask first, in random order."""
    keys = torch.rand(mask.shape, device=mask.device, generator=generator)
    return torch.where(mask, keys, 2.0).argsort(dim=1)
