"""Intensities of a case as whole numbers, the same in preparation and inference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["channel_flags", "channel_windows", "check_windows", "normalise_case", "normalise_channels"]

PERCENTILES = (0.5, 99.5)
RANGE = 1000.0
INT16 = np.iinfo(np.int16)


def normalise_case(array: np.ndarray, per_case: bool) -> np.ndarray:
    """Return a whole image as whole numbers in the range of int16, which volume stores hold.

    Args:
        array: a whole image, of any shape.
        per_case: map the image's own 0.5 and 99.5 percentiles to 0 and 1000, linearly beyond them too. False for images
            on a common scale (HU), which are only rounded.

    Returns:
        Whole numbers in a floating-point array of the same shape.

    Raises:
        ValueError: with ``per_case``, when both percentiles are equal: there is nothing to scale.

    Example:
        >>> normalise_case(np.array([-1000.4, 40.6]), per_case=False)
        array([-1000.,    41.], dtype=float32)
    """
    # float32 for any input: a stored case and one that is read for inference then agree voxel for voxel.
    array = np.asarray(array, dtype=np.float32)
    if per_case:
        low, high = np.percentile(array, PERCENTILES)
        if not low < high:
            raise ValueError(f"nearly all voxels are {low:g}: nothing to scale")
        array = (array - low) / (high - low) * np.float32(RANGE)
    return np.clip(np.rint(array), INT16.min, INT16.max)


def normalise_channels(image: np.ndarray, per_case: bool | Sequence[bool]) -> np.ndarray:
    """Return a whole image by `normalise_case`, each channel by itself.

    Args:
        image: ``(C, *spatial)``, or of any shape where it is one channel.
        per_case: of `normalise_case`: one value for an image of one channel, a list with one for each of several.

    Raises:
        ValueError: as `normalise_case`, and for another number of channels.
    """
    flags = channel_flags(per_case)
    channels = list(image) if len(flags) > 1 else [image]
    if len(flags) != len(channels):
        raise ValueError(f"found {len(channels)} channels, expected {len(flags)}")
    scaled = [normalise_case(channel, flag) for channel, flag in zip(channels, flags, strict=True)]
    return np.stack(scaled) if len(flags) > 1 else scaled[0]


def channel_windows(window: Sequence[float] | Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """Return the window of each channel; the two numbers of a single channel need no list around them.

    Example:
        >>> channel_windows([-200, 300]), channel_windows([[0, 1000], [-200, 300]])
        ([(-200, 300)], [(0, 1000), (-200, 300)])
    """
    return [(low, high) for low, high in np.reshape(np.asarray(window, dtype=object), (-1, 2))]


def check_windows(
    window: Sequence[float] | Sequence[Sequence[float]], channels: Sequence[str]
) -> list[tuple[float, float]]:
    """Return the window of each channel.

    Args:
        window: see `channel_windows`.
        channels: names of the channels.

    Raises:
        ValueError: for another number of windows than of channels.
    """
    windows = channel_windows(window)
    if len(windows) != len(channels):
        raise ValueError(
            f"--window: found {window}, expected one for each of the channels {', '.join(channels)}: "
            '"[[0,1000],[-200,300]]"'
        )
    return windows


def channel_flags(per_case: bool | Sequence[bool]) -> list[bool]:
    """Return ``per_case`` of each channel; that of a single channel needs no list around it.

    Example:
        >>> channel_flags(True), channel_flags([True, False])
        ([True], [True, False])
    """
    return [per_case] if isinstance(per_case, bool) else list(per_case)
