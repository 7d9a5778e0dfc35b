"""Daubechies wavelets: their filters, and a level of analysis and synthesis along one axis."""

from __future__ import annotations

import re
from functools import cache
from math import comb

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["axis_operators", "daubechies", "transform_axis"]

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


@cache
def axis_operators(wavelet: str, edge: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return one level along an axis as matrices: what both bands keep of a map, and the low band itself.

    Analysis is correlation with the decomposition filters at every second position, zero beyond the borders. Synthesis is
    transposed convolution with the reconstruction filters. A level along several axes is the product of those along each.

    Args:
        wavelet: a name, see `daubechies`; L is the length of its filters.
        edge: n, the positions along the axis.
        dtype: data type of the matrices.
        device: where the matrices are.

    Returns:
        Synthesis after analysis of the low and of the high band, (2, 2 (n // 2), n): an odd edge becomes one shorter. And the
        analysis of the low band, (n // 2 + L / 2, n).
    """
    filters = torch.tensor(daubechies(wavelet), dtype=torch.float64)
    padding = filters.shape[1] - 1
    positions = torch.eye(edge, dtype=torch.float64).unsqueeze(1)
    bands = F.conv1d(positions, filters.unsqueeze(1), stride=2, padding=padding)
    kept = F.conv_transpose1d(bands, filters.flip(1).unsqueeze(1), stride=2, padding=padding, groups=2)
    return kept.permute(1, 2, 0).to(device, dtype).contiguous(), bands[:, 0].T.to(device, dtype).contiguous()


def transform_axis(matrix: Tensor, maps: Tensor, axis: int) -> Tensor:
    """Return maps with a matrix (m, n) applied along an axis of n positions.

    Example:
        >>> transform_axis(torch.ones(1, 3), torch.ones(2, 3, 4), axis=1).shape
        torch.Size([2, 1, 4])
    """
    if axis == maps.ndim - 1:
        return maps @ matrix.T
    before, after = maps.shape[:axis], maps.shape[axis + 1 :]
    return (matrix @ maps.reshape(before.numel(), maps.shape[axis], -1)).reshape(*before, -1, *after)
