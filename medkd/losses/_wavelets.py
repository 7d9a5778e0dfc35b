"""Daubechies wavelets: their filters, and a level of analysis and synthesis along one axis."""

from __future__ import annotations

import math
import re
from functools import cache
from math import comb
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["AxisOperators", "axis_operators", "daubechies", "transform_axis"]

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
    """(2, n // 2 + L / 2, n): correlation with the low and the high filter at every second position, zero beyond borders."""
    details: Tensor
    """(2, rows, n): synthesis of the analysis of either band, in a basis in which most rows belong to one band alone."""
    shared: int
    """The first and the last rows of ``details``, so many of each, in which both bands have the same basis."""
    reach: tuple[int, int]
    """How many columns from the diagonal entries of these matrices, and of their transposes, are not 0."""


# The result is a constant for `torch.compile`, which does not look into it: it depends on sizes alone.
@torch.compiler.assume_constant_result
def axis_operators(filters: Filters, edge: int, dtype: torch.dtype, device: torch.device) -> AxisOperators:
    """Return one level along an axis as matrices. A level along several axes applies the matrices of each.

    Synthesis is transposed convolution with the reconstruction filters, cut to 2 (n // 2) positions. Away from the borders
    its columns are orthonormal, so that the squared norm of a synthesised map is that of its coefficients, and the synthesis
    itself is not needed. The columns that a border cuts are expressed in an orthonormal basis of what the others leave.

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
    # (2, coefficients, n): of each position in the first place, what it adds to every coefficient
    analysis = F.conv1d(positions, low_high, stride=2, padding=length - 1).permute(1, 2, 0)
    coefficients = torch.eye(analysis.shape[1], dtype=torch.float64).unsqueeze(1)
    synthesis = F.conv_transpose1d(coefficients, low_high.flip(2).transpose(0, 1), stride=2, padding=length - 1)
    synthesis = synthesis.permute(1, 2, 0)  # (2, 2 (n // 2), coefficients)
    whole = slice(length // 2, edge // 2)  # coefficients that no border cuts
    count = max(0, whole.stop - whole.start)
    details, shared = synthesis @ analysis, edge // 2
    if count:
        basis = _complement(torch.cat([*synthesis[:, :, whole]], dim=1))
        ends, shared = basis.T @ synthesis @ analysis, length // 2
        details = torch.cat([ends[:, :shared], analysis[:, whole], ends[:, shared:]], dim=1)
    matrices = [*analysis, *details]
    reach = max(map(_reach, matrices)), max(_reach(matrix.T) for matrix in matrices)
    first, second = (matrix.to(device, dtype).contiguous() for matrix in (analysis, details))
    return AxisOperators(first, second, shared, reach)


def _reach(matrix: Tensor) -> int:
    """Return how many columns from the diagonal entries are that are not 0."""
    rows, columns = (matrix.abs() > 1e-12).nonzero().T
    return int((columns - rows * matrix.shape[1] // matrix.shape[0]).abs().max())


def _complement(columns: Tensor) -> Tensor:
    """Return an orthonormal basis of what is orthogonal to orthonormal columns, sorted by the position of its vectors."""
    rest = torch.linalg.svd(columns)[0][:, columns.shape[1] :]
    positions = torch.arange(len(columns), dtype=columns.dtype)
    # vectors of different places along the axis are eigenvectors of their position, and so local
    return rest @ torch.linalg.eigh(rest.T @ (positions.unsqueeze(1) * rest))[1]


def transform_axis(matrix: Tensor, maps: Tensor, axis: int, reach: tuple[int, int] | None = None) -> Tensor:
    """Return maps with a matrix (m, n) applied along an axis of n positions.

    Args:
        matrix: as in `AxisOperators`, zero except near its diagonal.
        maps: of any shape.
        axis: of the maps.
        reach: as in `AxisOperators`. None: the matrix need not be a band.

    Example:
        >>> transform_axis(torch.ones(1, 3), torch.ones(2, 3, 4), axis=1).shape
        torch.Size([2, 1, 4])
    """
    shape = maps.shape
    flat = maps.reshape(math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
    product: Tensor = _BandedProduct.apply(flat, matrix, (max(matrix.shape),) * 2 if reach is None else reach)
    return product.reshape(*shape[:axis], matrix.shape[0], *shape[axis + 1 :])


class _BandedProduct(torch.autograd.Function):
    """Product of a constant band matrix (m, n) with maps (B, n, C), in blocks of rows; its adjoint is such a product too."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, matrix: Tensor, reach: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(matrix)
        ctx.reach = reach
        return _multiply(matrix, maps, reach[0])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (matrix,) = ctx.saved_tensors
        return _multiply(matrix.T, gradient, ctx.reach[1]), None, None


def _multiply(matrix: Tensor, maps: Tensor, reach: int) -> Tensor:
    """Return matrix @ maps, without the entries further than ``reach`` columns from the diagonal."""
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
