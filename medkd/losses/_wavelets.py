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

Filters = tuple[tuple[float, ...], tuple[float, ...]]

# Beyond ten vanishing moments the roots of the polynomial lose digits.
_LARGEST_ORDER = 10


def daubechies(name: str) -> Filters:
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
    return tuple(low.tolist()), tuple(high.tolist())


@cache
def axis_operators(filters: Filters, edge: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return one level along an axis as matrices: analysis and synthesis.

    Analysis is correlation with the decomposition filters at every second position, zero beyond the borders. Synthesis is
    transposed convolution with the reconstruction filters. A level along several axes applies the matrices of each.

    Args:
        filters: the low and the high decomposition filter, of length L each.
        edge: n, the positions along the axis.
        dtype: data type of the matrices.
        device: where the matrices are.

    Returns:
        The analysis of the low and of the high band, (2, n // 2 + L / 2, n), and their synthesis,
        (2, 2 (n // 2), n // 2 + L / 2): an odd edge becomes one shorter.
    """
    low_high = torch.tensor(filters, dtype=torch.float64).unsqueeze(1)
    padding = low_high.shape[2] - 1
    positions = torch.eye(edge, dtype=torch.float64).unsqueeze(1)
    analysis = F.conv1d(positions, low_high, stride=2, padding=padding)
    coefficients = torch.eye(analysis.shape[2], dtype=torch.float64).unsqueeze(1)
    synthesis = F.conv_transpose1d(coefficients, low_high.flip(2).transpose(0, 1), stride=2, padding=padding)
    # of each position, or coefficient, in the first place: what it adds to every other one
    first, second = (matrix.permute(1, 2, 0).to(device, dtype).contiguous() for matrix in (analysis, synthesis))
    return first, second


def transform_axis(matrix: Tensor, maps: Tensor, axis: int) -> Tensor:
    """Return maps with a matrix (m, n) applied along an axis of n positions.

    Example:
        >>> transform_axis(torch.ones(1, 3), torch.ones(2, 3, 4), axis=1).shape
        torch.Size([2, 1, 4])
    """
    # one large product over the last axis: a batch of small ones, one a map, takes several times longer on a CPU
    moved = maps.transpose(axis, -1)
    rows = moved.reshape(-1, moved.shape[-1]) @ matrix.T
    return rows.reshape(*moved.shape[:-1], -1).transpose(axis, -1)
