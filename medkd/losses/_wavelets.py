"""Daubechies wavelets: their filters, and a level of the transform of maps."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache
from math import comb
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["AxisOperators", "Filters", "WaveletLevel", "axis_operators", "daubechies", "multiply_axis"]

Filters = tuple[tuple[float, ...], tuple[float, ...]]

# Beyond ten vanishing moments the roots of the polynomial lose digits.
_LARGEST_ORDER = 10
# rows of a matrix that are multiplied at once
_BLOCK = 32


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


class AxisOperators(NamedTuple):
    """One level of the transform along an axis of n positions, as matrices, with filters of length L."""

    analysis: Tensor
    """(m, n) with m = 2 (n // 2) + L: correlation with both filters at every second position, zero beyond borders. Even rows
    belong to the low filter, odd rows to the high one."""
    first: Tensor
    """(k, k): the products of the first k columns of the synthesis with each other. Away from the borders, columns are
    orthonormal. k is L, or m where m is small."""
    last: Tensor
    """Likewise of the last k columns; (0, 0) where ``first`` is of all."""
    reach: tuple[int, int]
    """How many columns from the diagonal entries of ``analysis``, and of its transpose, are not 0."""


# The result is a constant for `torch.compile`, which does not look into it: it depends on sizes alone.
@torch.compiler.assume_constant_result
def axis_operators(filters: Filters, edge: int, dtype: torch.dtype, device: torch.device) -> AxisOperators:
    """Return one level along an axis as matrices. A level along several axes applies the matrices of each.

    Synthesis S is transposed convolution with the reconstruction filters, cut to 2 (n // 2) positions. The norm of a
    synthesised map follows from its coefficients c: ``|S c|^2 = c (S^T S) c``, where S^T S differs from the identity near the
    borders alone. So no map is synthesised.

    Args:
        filters: the low and the high decomposition filter.
        edge: n, the positions along the axis.
        dtype: data type of the matrices.
        device: where the matrices are.
    """
    return _axis_operators(filters, edge, dtype, device)


@cache
def _axis_operators(filters: Filters, edge: int, dtype: torch.dtype, device: torch.device) -> AxisOperators:
    low_high = torch.tensor(filters, dtype=torch.float64).unsqueeze(1)
    length = low_high.shape[2]
    positions = torch.eye(edge, dtype=torch.float64).unsqueeze(1)
    # of each position, in the first place, what it adds to the coefficients
    analysis = F.conv1d(positions, low_high, stride=2, padding=length - 1).mT.reshape(edge, -1).T
    count = len(analysis)
    coefficients = torch.eye(count, dtype=torch.float64).view(count, count // 2, 2).mT
    synthesis = F.conv_transpose1d(coefficients, low_high.flip(2), stride=2, padding=length - 1).squeeze(1).T
    products = synthesis.T @ synthesis
    border = length if count > max(_BLOCK, 2 * length) else count
    first, last = products[:border, :border], products[border:, border:][-border:, -border:]
    matrices = [matrix.to(device, dtype).contiguous() for matrix in (analysis, first, last)]
    return AxisOperators(matrices[0], matrices[1], matrices[2], (_reach(analysis), _reach(analysis.T)))


def _reach(matrix: Tensor) -> int:
    """Return how many columns from the diagonal entries are that are not 0."""
    rows, columns = (matrix.abs() > 1e-12).nonzero().T
    return int((columns - rows * matrix.shape[1] // matrix.shape[0]).abs().max())


def multiply_axis(matrix: Tensor, maps: Tensor, axis: int, reach: int | None = None) -> Tensor:
    """Return maps with a matrix (m, n) applied along an axis of n positions.

    Args:
        matrix: any matrix.
        maps: of any shape.
        axis: of the maps.
        reach: entries of the matrix further from the diagonal than so many columns are 0 and left out. None: there are none.

    Example:
        >>> multiply_axis(torch.ones(1, 3), torch.ones(2, 3, 4), axis=1).shape
        torch.Size([2, 1, 4])
    """
    shape = maps.shape
    flat = maps.reshape(math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
    product = _multiply(matrix, flat, max(matrix.shape) if reach is None else reach)
    return product.reshape(*shape[:axis], matrix.shape[0], *shape[axis + 1 :])


def _multiply(matrix: Tensor, maps: Tensor, reach: int) -> Tensor:
    """Return matrix @ maps for maps (B, n, C), in blocks of rows."""
    rows, columns = matrix.shape
    products = []
    for first in range(0, rows, _BLOCK):
        last = min(rows, first + _BLOCK)
        start, stop = max(0, first * columns // rows - reach), min(columns, (last - 1) * columns // rows + reach + 1)
        block, part = matrix[first:last, start:stop].contiguous(), maps[:, start:stop]
        if maps.shape[2] == 1:  # rows in a line: one product, not one of each map
            products.append((part.squeeze(2) @ block.T).unsqueeze(2))
        else:
            products.append(torch.bmm(block.expand(len(part), *block.shape), part))
    return products[0] if len(products) == 1 else torch.cat(products, dim=1)


class WaveletLevel(torch.autograd.Function):
    """One level of the transform of maps (N, C, *spatial).

    Returns the squared norm of the synthesis of some bands, and the lowest band of the analysis. A class of its own, since
    the gradient of a squared norm needs the map alone that the forward has in any case.
    """

    @staticmethod
    def forward(
        ctx: Any, maps: Tensor, operators: Sequence[AxisOperators], bands: frozenset[int]
    ) -> tuple[Tensor, Tensor]:
        """Compute the level.

        Args:
            ctx: of autograd.
            maps: (N, C, *spatial).
            operators: of each spatial axis.
            bands: numbers of bands, whose highest bit is that of the first axis: 0 for low and 1 for high.
        """
        coefficients = maps
        for axis, operator in enumerate(operators, start=2):
            coefficients = multiply_axis(operator.analysis, coefficients, axis, operator.reach[0])
        lowest = coefficients[_band(0, len(operators))].contiguous()
        for number in range(2 ** len(operators)):
            if number not in bands:
                coefficients[_band(number, len(operators))] = 0
        weighted = coefficients.clone()
        for axis, operator in enumerate(operators, start=2):
            for border, start in ((operator.first, 0), (operator.last, -len(operator.last))):
                if len(border):
                    part = weighted.narrow(axis, start, len(border))
                    part.copy_(multiply_axis(border, part, axis))
        norm = torch.dot(coefficients.flatten(), weighted.flatten())
        ctx.save_for_backward(*(weighted[_band(number, len(operators))].contiguous() for number in sorted(bands)))
        ctx.operators, ctx.bands, ctx.size = operators, sorted(bands), weighted.shape
        return norm, lowest

    @staticmethod
    def backward(ctx: Any, norm: Tensor, lowest: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of the maps."""
        axes = len(ctx.operators)
        gradient = lowest.new_empty(ctx.size)
        weighted = dict(zip(ctx.bands, ctx.saved_tensors, strict=True))
        for number in range(2**axes):
            gradient[_band(number, axes)] = weighted[number] * (2 * norm) if number in weighted else 0
        gradient[_band(0, axes)] += lowest
        for axis, operator in enumerate(ctx.operators, start=2):
            gradient = multiply_axis(operator.analysis.T, gradient, axis, operator.reach[1])
        return gradient, None, None


def _band(number: int, axes: int) -> tuple[Any, ...]:
    """Return the index of a band in coefficients whose rows belong to low and high bands in turn."""
    return (..., *(slice(number >> axes - 1 - axis & 1, None, 2) for axis in range(axes)))
