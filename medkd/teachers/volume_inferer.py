"""A teacher over whole volumes: each of its networks at its own spacing, in windows of its own size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from monai.inferers import Inferer
from torch import Tensor

from medkd.inferers import VolumeInferer

from .ensemble import Ensemble
from .geometry import Grid

__all__ = ["TeacherInferer"]


class TeacherInferer(Inferer):
    """Run a teacher over a volume as in inference, see `medkd.inferers.VolumeInferer`, and return its logits.

    The members of an `Ensemble` run one after the other, each on its own grid. Their probabilities are averaged on the grid
    of the result.

    Args:
        grids: spacing and windows of the teacher, or of each member of an ensemble, see `teacher_grids`.
        sw_batch_size: windows at once.
        overlap: of neighbouring windows, a share of the window's edge.
        output_spacing: mm of the result; None: on the volume's own grid.

    Shape:
        (1, C, *spatial), a MetaTensor, to (1, K, *spatial).
    """

    def __init__(
        self,
        grids: Sequence[Grid],
        sw_batch_size: int = 1,
        overlap: float = 0.5,
        output_spacing: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.grids, self.sw_batch_size, self.overlap = list(grids), sw_batch_size, overlap
        self.output_spacing = output_spacing

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Return the logits of the teacher's network, or of an ensemble, for one volume."""
        if not isinstance(network, Ensemble):
            return self.run(inputs, network, self.grids[0])
        members = zip(network.members, self.grids, strict=True)
        return network.mean_logits(self.run(inputs, member, grid) for member, grid in members)

    def run(self, inputs: Tensor, network: Callable[..., Tensor], grid: Grid) -> Tensor:
        """Return the maps (1, K, *spatial) of one network on a grid of its own."""
        assert grid.patch_size is not None
        inferer = VolumeInferer(
            grid.patch_size,
            _spacing_for(inputs, grid.spacing),
            self.sw_batch_size,
            self.overlap,
            output_spacing=self.output_spacing,
        )
        return inferer(inputs, network).as_subclass(Tensor)


def _spacing_for(image: Tensor, spacing: Sequence[float | None] | None) -> list[float] | None:
    """Return the spacing of a network for a volume, whose own stays where the network states none."""
    if spacing is None or not any(spacing):
        return None
    return [mm or own for mm, own in zip(spacing, VolumeInferer.spacing_of(image), strict=True)]
