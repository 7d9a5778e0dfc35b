"""Detail-consistent distillation (DCD): encoder maps compared in the middle bands of a wavelet transform."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from monai.networks.layers.factories import Conv
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss

from medkd.networks import Features

from ._common import check_channels, check_positive, full_precision, no_autocast
from ._wavelets import Filters, WaveletLevel, axis_operators, daubechies

__all__ = ["DCDLoss", "DCDStagesLoss"]

# all bands of three axes, except the one that is low and the one that is high along each of them
_MIDDLE_BANDS = (1, 2, 3, 4, 5, 6)
# positions of a map up to which its loss is computed as one quadratic form
_SMALL = 512


class _DetailLoss(_Loss):
    """Compare two maps in some bands of a wavelet transform. For the arguments see `DCDLoss`."""

    def __init__(self, spatial_dims: int, wavelet: str, levels: int, bands: Sequence[int]) -> None:
        super().__init__()
        check_positive("DCDLoss", levels=levels)
        self.spatial_dims, self.levels = spatial_dims, levels
        try:
            self.filters = daubechies(wavelet)
        except ValueError as error:
            raise ValueError(f"DCDLoss: {error}") from None
        self.bands = _check_bands(spatial_dims, bands)

    def _compare(self, student: Tensor, teacher: Tensor, channels: tuple[int, int], projector: nn.Module) -> Tensor:
        """Return the loss of two maps (N, C, *spatial) of one size."""
        name = type(self).__name__
        check_channels(name, self.spatial_dims, channels, student, teacher)
        shapes = f"{name}: student {tuple(student.shape)} and teacher {tuple(teacher.shape)}"
        if student.shape[2:] != teacher.shape[2:]:
            raise ValueError(f"{shapes} must have the same size: name the pairs of stages that have it")
        if min(student.shape[2:]) < 2:
            raise ValueError(f"{shapes} have an axis of one position, expected two: use larger images, or fewer stages")
        with no_autocast(student):
            # every step is linear: the transform of the difference is the difference of both transforms
            maps = projector(full_precision(student)) - full_precision(teacher.detach())
            if math.prod(maps.shape[2:]) > _SMALL:
                return _norm(maps, self.filters, self.levels, self.bands)
            form = _form(tuple(maps.shape[2:]), self.filters, self.levels, self.bands, maps.dtype, maps.device)
            flat = maps.flatten(2)
            return ((flat @ form) * flat).sum() / math.prod(maps.shape[:2])


def _norm(maps: Tensor, filters: Filters, levels: int, bands: frozenset[int]) -> Tensor:
    """Return the loss of a difference of maps (N, C, *spatial), level by level."""
    errors = []
    for _ in range(levels):
        size = maps.shape[2:]
        operators = [axis_operators(filters, edge, maps.dtype, maps.device) for edge in size]
        # synthesis cuts an odd edge by one position
        count = math.prod(maps.shape[:2]) * math.prod([edge - edge % 2 for edge in size])
        norm, maps = WaveletLevel.apply(maps, operators, bands)
        errors.append(norm / count)
    return torch.stack(errors).mean()


# The result is a constant for `torch.compile`.
@torch.compiler.assume_constant_result
def _form(size: tuple[int, ...], *arguments: Any) -> Tensor:
    """Return the matrix (n, n) whose quadratic form is the loss of a map of n positions.

    All levels of a small map at once take less time this way: its many small steps would cost more than this product.

    Args:
        size: of the map.
        *arguments: filters, levels, bands, data type and device.
    """
    return _cached_form(size, *arguments)


@cache
def _cached_form(
    size: tuple[int, ...],
    filters: Filters,
    levels: int,
    bands: frozenset[int],
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    count = math.prod(size)
    with torch.inference_mode(False), torch.enable_grad():
        # the gradient of a quadratic form is linear: half of it, at every unit vector
        units = torch.eye(count, dtype=torch.float64).view(count, 1, *size).requires_grad_()
        (gradient,) = torch.autograd.grad(count * _norm(units, filters, levels, bands), units)
        return (gradient.view(count, count) / 2).to(device, dtype)


def _projector(spatial_dims: int, channels: tuple[int, int]) -> nn.Module:
    """Return the convolution that gives a student's map the channels of the teacher's; nothing where they are equal."""
    if channels[0] == channels[1]:
        return nn.Identity()
    convolution: nn.Module = Conv[Conv.CONV, spatial_dims](*channels, kernel_size=1)
    return convolution


def _check_bands(spatial_dims: int, bands: Sequence[int]) -> frozenset[int]:
    """Return the bands that are compared; raise ValueError for a number that is none."""
    count = 2**spatial_dims
    if spatial_dims == 2 and tuple(bands) == _MIDDLE_BANDS:
        bands = (1, 2)
    if not bands or not set(bands) <= set(range(count)):
        raise ValueError(f"DCDLoss: bands: found {list(bands)}, expected numbers from 0 to {count - 1}")
    return frozenset(bands)


class DCDLoss(_DetailLoss):
    r"""Teach the student the details of a teacher's map: what a wavelet transform keeps in its middle bands.

    .. math:: L = \frac1J \sum_{j=1}^{J} \mathrm{mean} (S(B A(l_{j-1}(r(f^s)))) - S(B A(l_{j-1}(f^t))))^2

    with A one level of analysis by Daubechies filters, B the choice of bands (the others are set to 0), S the synthesis,
    l_j the map after j levels of its lowest band, and r a learnable 1x1 convolution with bias where channels differ.
    Coarse structure, and noise that is fine along every axis, are not compared.

    As in the authors' code, maps are zero beyond their borders, so that borders count, and synthesis is no exact inverse
    of analysis: an odd edge becomes one shorter.

    Args:
        spatial_dims: 2 or 3.
        student_channels: channels Cs of the student's map.
        teacher_channels: channels Ct of the teacher's map.
        wavelet: "haar", or "db1" to "db10".
        levels: J.
        bands: numbers of the bands that are compared: 4 z + 2 y + x, in 2-D 2 y + x, with 0 for low and 1 for high along
            an axis. The default, the authors', leaves out the lowest and the highest band; in 2-D it means (1, 2), our
            choice.

    Shape:
        student (N, Cs, *spatial), teacher (N, Ct, *spatial) of equal sizes, two or more positions along each axis.

    Raises:
        ValueError: for an unknown wavelet or band, channels or sizes that do not fit, or an axis of one position.

    Example:
        >>> loss = DCDLoss(spatial_dims=2, student_channels=4, teacher_channels=6)
        >>> loss(torch.rand(1, 4, 16, 16), torch.rand(1, 6, 16, 16)).shape
        torch.Size([])

    Reference: Detail Consistent Distillation, MICCAI 2026 (arXiv 2605.26382); the value is that of the authors' code, which
    is 3-D alone. Differs in cost: every step is linear, so that it runs over the difference of both maps once, axis by axis,
    and the norm of a synthesised map is computed from its coefficients; small maps take one product. Their runs average the
    weights of the student over steps (0.999); here the student is as it is.

    In a preset: ``stage: {tap: encoder.1, weight: 0.01, loss: {_target_: medkd.losses.DCDLoss, spatial_dims: 3, ...}}``
    """

    def __init__(
        self,
        spatial_dims: int,
        student_channels: int,
        teacher_channels: int,
        wavelet: str = "db4",
        levels: int = 3,
        bands: Sequence[int] = _MIDDLE_BANDS,
    ) -> None:
        super().__init__(spatial_dims, wavelet, levels, bands)
        self.channels = (student_channels, teacher_channels)
        self.projector = _projector(spatial_dims, self.channels)

    def forward(self, student: Tensor, teacher: Tensor, target: Tensor | None = None) -> Tensor:
        """Compute the loss on two maps with the channels of the constructor; target is not used."""
        return self._compare(student, teacher, self.channels, self.projector)


class DCDStagesLoss(_DetailLoss):
    """Compute `DCDLoss` on several pairs of encoder stages and return its mean over them.

    Args:
        spatial_dims: 2 or 3.
        student_channels: channels of all the student's encoder taps, fine to coarse.
        teacher_channels: likewise of the teacher.
        stages: pairs of a student's and a teacher's encoder stage, of equal sizes.
        wavelet: as in `DCDLoss`.
        levels: as in `DCDLoss`.
        bands: as in `DCDLoss`.

    Shape:
        student, teacher: `Features` with these encoder taps.

    Raises:
        ValueError: without stages, or for a pair that a network does not have; and as `DCDLoss`.

    Example:
        >>> encoder = (torch.rand(1, 3, 8, 8), torch.rand(1, 4, 4, 4))
        >>> features = Features(torch.rand(1, 2, 8, 8), encoder)
        >>> DCDStagesLoss(2, (3, 4), (3, 4), stages=[(0, 0), (1, 1)])(features, features)
        tensor(0.)

    Reference: as `DCDLoss`; the authors take all stages of two encoders of one shape.
    """

    def __init__(
        self,
        spatial_dims: int,
        student_channels: Sequence[int],
        teacher_channels: Sequence[int],
        stages: Sequence[Sequence[int]],
        wavelet: str = "db4",
        levels: int = 3,
        bands: Sequence[int] = _MIDDLE_BANDS,
    ) -> None:
        super().__init__(spatial_dims, wavelet, levels, bands)
        self.stages = _check_stages(stages, len(student_channels), len(teacher_channels))
        self.channels = [(student_channels[i], teacher_channels[j]) for i, j in self.stages]
        self.projectors = nn.ModuleList(_projector(spatial_dims, channels) for channels in self.channels)

    def forward(self, student: Features, teacher: Features, target: Tensor | None = None) -> Tensor:
        """Compute the loss on two `Features`; target is not used."""
        values = [
            self._compare(student.encoder[i], teacher.encoder[j], channels, projector)
            for (i, j), channels, projector in zip(self.stages, self.channels, self.projectors, strict=True)
        ]
        return torch.stack(values).mean()


def _check_stages(stages: Any, student_count: int, teacher_count: int) -> list[tuple[int, int]]:
    """Return the pairs of stages; raise ValueError when there are none, or an encoder does not have one of them."""
    limits = f"a stage of the student below {student_count} and one of the teacher below {teacher_count}"
    try:
        pairs = [(int(i), int(j)) for i, j in stages]
    except (TypeError, ValueError):
        raise ValueError(f"DCDStagesLoss: stages: found {stages!r}, expected pairs: {limits}") from None
    if not pairs or not all(0 <= i < student_count and 0 <= j < teacher_count for i, j in pairs):
        raise ValueError(f"DCDStagesLoss: stages: found {pairs}, expected pairs of equal size: {limits}")
    return pairs
