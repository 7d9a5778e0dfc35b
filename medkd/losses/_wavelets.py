"""Daubechies wavelets: their filters, and one level of analysis and synthesis, axis by axis."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import comb

import numpy as np
from torch import Tensor
from torch.nn import functional as F

__all__ = ["analyse", "daubechies", "synthesise"]

# Beyond ten vanishing moments the roots of the polynomial lose digits.
_LARGEST_ORDER = 10


def daubechies(name: str) -> tuple[list[float], list[float]]:
    """Return the low and the high decomposition filter of a Daubechies wavelet, in the order of PyWavelets.

    The low filter of order N is the minimum-phase factor of the half-band polynomial with N zeros at -1 (Daubechies, Ten
    Lectures on Wavelets, chapter 6). The reconstruction filters are the same ones, reversed.

    Args:
        name: "haar", or "db1" to "db10".

    Raises:
        ValueError: for another name.

    Example:
        >>> [round(value, 4) for value in daubechies("db2")[0]]
        [-0.1294, 0.2241, 0.8365, 0.483]
    """
    match = re.fullmatch(r"db(\d+)", "db1" if name == "haar" else name)
    order = int(match[1]) if match else 0
    if not 1 <= order <= _LARGEST_ORDER:
        raise ValueError(f"wavelet: found {name!r}, expected haar or db1 to db{_LARGEST_ORDER}")
    y = np.roots([comb(order - 1 + k, k) for k in reversed(range(order))])
    # y = (2 - z - 1/z) / 4; of the two z of each y, the one inside the unit circle
    pairs = [np.roots([1, 4 * root - 2, 1]) for root in y]
    zeros = [pair[np.argmin(abs(pair))] for pair in pairs]
    polynomial = np.real(np.poly([-1.0] * order + zeros))
    low = (np.sqrt(2) * polynomial / polynomial.sum())[::-1]
    high = low[::-1] * [(-1) ** (k + 1) for k in range(2 * order)]
    return low.tolist(), high.tolist()


def analyse(maps: Tensor, filters: Tensor) -> Tensor:
    """Return the bands of one level: correlation with both filters along each axis, every second position.

    Args:
        maps: (M, 1, *spatial), zero beyond its borders.
        filters: the low and the high decomposition filter, (2, L).

    Returns:
        (M, 2^d, *coarser) for d axes. The bits of a band's number say low (0) or high (1) for each axis, the first axis first.
    """
    conv: Callable[..., Tensor] = F.conv2d if maps.ndim == 4 else F.conv3d
    for axis, groups in enumerate(2**bit for bit in range(maps.ndim - 2)):
        weight, stride, padding = _along(axis, filters, maps, groups)
        maps = conv(maps, weight, None, stride, padding, groups=groups)
    return maps


def synthesise(bands: Tensor, filters: Tensor) -> Tensor:
    """Return the maps of bands, by transposed convolution with the reconstruction filters: the counterpart of `analyse`.

    Args:
        bands: (M, 2^d, *coarser) for d axes.
        filters: the low and the high reconstruction filter, (2, L).

    Returns:
        (M, 1, *spatial), an odd edge one shorter than that of the analysed map. The borders differ from it too.
    """
    conv: Callable[..., Tensor] = F.conv_transpose2d if bands.ndim == 4 else F.conv_transpose3d
    for axis in reversed(range(bands.ndim - 2)):
        groups = bands.shape[1] // 2
        weight, stride, padding = _along(axis, filters, bands, groups)
        bands = conv(bands, weight, None, stride, padding, groups=groups)
    return bands


def _along(axis: int, filters: Tensor, maps: Tensor, groups: int) -> tuple[Tensor, list[int], list[int]]:
    """Return weight (2 * groups, 1, *kernel), stride and padding of a convolution of both filters along one axis."""
    axes, length = maps.ndim - 2, filters.shape[1]
    kernel = [length if other == axis else 1 for other in range(axes)]
    weight = filters.to(maps.dtype).reshape(2, 1, *kernel).repeat(groups, *[1] * (axes + 1))
    return weight, [2 if edge > 1 else 1 for edge in kernel], [edge - 1 for edge in kernel]
