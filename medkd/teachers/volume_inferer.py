"""A teacher over whole volumes: each of its networks at its own spacing, in windows of its own size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from monai.data import MetaTensor
from monai.inferers import Inferer
from torch import Tensor, nn

from medkd.inferers import VolumeInferer

from .adapter import TeacherAdapter
from .ensemble import Ensemble
from .geometry import Grid

__all__ = ["TeacherInferer"]


class TeacherInferer(Inferer):
    """Run a teacher over a volume as in inference, see `medkd.inferers.VolumeInferer`, and return its logits.

    A teacher whose intensities are scaled by the statistics of an image (nnU-Net's z-score) has those of the whole volume, as
    in nnU-Net, which also pads what was scaled with 0.

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

    def run(
        self, inputs: Tensor, network: Callable[..., Tensor], grid: Grid, adapter: nn.Module | None = None
    ) -> Tensor:
        """Return the maps (1, K, *spatial) of one network on a grid of its own.

        Args:
            inputs: volume.
            network: windows to maps.
            grid: of the network.
            adapter: the module within ``network`` that scales intensities, if it is a `TeacherAdapter`; None: the network.
        """
        assert grid.patch_size is not None
        scaling = network if adapter is None else adapter
        whole = scaling if isinstance(scaling, TeacherAdapter) and scaling.scales_by_image else None
        inferer = VolumeInferer(
            grid.patch_size,
            _spacing_for(inputs, grid.spacing),
            self.sw_batch_size,
            self.overlap,
            cval=-1 if whole is None else 0,
            output_spacing=self.output_spacing,
        )
        if whole is None:
            return inferer(inputs, network).as_subclass(Tensor)
        scaled = MetaTensor(whole.scale_intensity(inputs.as_subclass(Tensor)), meta=getattr(inputs, "meta", None))
        with whole.scaled_before():
            return inferer(scaled, network).as_subclass(Tensor)


def _spacing_for(image: Tensor, spacing: Sequence[float | None] | None) -> list[float] | None:
    """Return the spacing of a network for a volume, whose own stays where the network states none."""
    if spacing is None or not any(spacing):
        return None
    return [mm or own for mm, own in zip(spacing, VolumeInferer.spacing_of(image), strict=True)]
