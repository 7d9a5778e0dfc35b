"""Intensities, axes and spacing that the plans of nnU-Net v2 state about its images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .geometry import AXCODES, Geometry
from .scalings import Scaling, ct_normalization, named_scaling

__all__ = ["read_geometry", "read_scalings"]


def read_scalings(plans: Mapping[str, Any], plan: Mapping[str, Any], channels: int) -> list[Scaling | None]:
    """Return the intensity scaling of each channel; None for one that cannot be repeated here.

    Args:
        plans: the whole plans.json.
        plan: one configuration of it.
        channels: channels of the image.

    Raises:
        ValueError: If the plans state another number of channels.
        KeyError: If the plans lack an entry.
    """
    schemes = plan["normalization_schemes"]
    if len(schemes) != channels:
        raise ValueError(f"normalization_schemes: found {len(schemes)}, expected one for each of {channels} channels")
    key = "foreground_intensity_properties_per_channel"
    properties = plans[key] if key in plans else plans.get("foreground_intensity_properties_by_modality", {})
    masked = plan.get("use_mask_for_norm") or [False] * channels
    scalings: list[Scaling | None] = []
    for channel, scheme in enumerate(schemes):
        if scheme == "CTNormalization":
            scalings.append(ct_normalization(properties[str(channel)]))
        elif scheme == "ZScoreNormalization" and masked[channel]:
            scalings.append(None)  # the mask is that of the whole case, which a patch or slice does not hold
        else:
            scalings.append(named_scaling(scheme))
    return scalings


def read_geometry(plans: Mapping[str, Any], plan: Mapping[str, Any]) -> Geometry:
    """Return axes, spacing and patch of the volumes.

    nnU-Net's arrays are z, y, x, which are slices, rows, columns as here, in an order that the plans state. The directions
    are those of the training files (mostly S, P, L when read by SimpleITK). The plans do not state them, except for the
    reader that turns every file to R, A, S.

    Args:
        plans: the whole plans.json.
        plan: one configuration of it.

    Raises:
        ValueError: If the stated order is not one of three axes.
    """
    is_known = plans.get("image_reader_writer") == "NibabelIOWithReorient"
    order, spacing = plans.get("transpose_forward") or [0, 1, 2], plan.get("spacing")
    if sorted(order) != [0, 1, 2]:
        raise ValueError(f"transpose_forward: found {order}, expected an order of three axes")
    axcodes = "".join(("SAR" if is_known else AXCODES)[axis] for axis in order)
    spacing = spacing if spacing is not None and len(spacing) == 3 else None
    return Geometry(axcodes, is_known, spacing, plan.get("patch_size"))
