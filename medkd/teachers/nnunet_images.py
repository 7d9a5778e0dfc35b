"""What the plans of nnU-Net say of its images: their intensities, axes and spacing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .geometry import OURS, Geometry
from .intensity import Scaling, ct_normalization, named_scaling

__all__ = ["geometry_of", "scalings_of"]


def scalings_of(plans: Mapping[str, Any], plan: Mapping[str, Any], channels: int) -> list[Scaling | None]:
    """How its images were scaled, one a channel; None where that cannot be done here.

    Raises:
        ValueError: for another number of channels.
        KeyError: when the plans lack a name.
    """
    schemes = plan["normalization_schemes"]
    if len(schemes) != channels:
        raise ValueError(f"{len(schemes)} normalization_schemes for {channels} channels")
    key = "foreground_intensity_properties_per_channel"
    properties = plans[key] if key in plans else plans.get("foreground_intensity_properties_by_modality", {})
    masked = plan.get("use_mask_for_norm") or [False] * channels
    found: list[Scaling | None] = []
    for channel, scheme in enumerate(schemes):
        if scheme == "CTNormalization":
            found.append(ct_normalization(properties[str(channel)]))
        else:  # a mask is of the whole case, which is not there
            found.append(None if scheme == "ZScoreNormalization" and masked[channel] else named_scaling(scheme))
    return found


def geometry_of(plans: Mapping[str, Any], plan: Mapping[str, Any]) -> Geometry:
    """Its arrays are z, y, x: slices, rows, columns as ours, in an order of the plans' own.

    The directions are those of the training files (by SimpleITK: mostly S, P, L), which the plans do not tell, unless the
    reader turned them all to R, A, S.

    Raises:
        ValueError: for an order of something else than three axes.
    """
    is_known = plans.get("image_reader_writer") == "NibabelIOWithReorient"
    order, spacing = plans.get("transpose_forward") or [0, 1, 2], plan.get("spacing")
    if sorted(order) != [0, 1, 2]:
        raise ValueError(f"transpose_forward: found {order}, expected an order of three axes")
    axcodes = "".join(("SAR" if is_known else OURS)[axis] for axis in order)
    return Geometry(axcodes, is_known, spacing if spacing is not None and len(spacing) == 3 else None)
