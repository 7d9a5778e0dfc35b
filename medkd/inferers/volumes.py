"""A 3-D network over a whole volume, in memory that does not grow with the number of classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from medkd.io.geometry import size_at_spacing
from medkd.parallel.group import progress_disabled

from .blending import Windows, blend_windows, resize_stretches, window_starts
from .pipeline import consume_beside
from .torch_backend import TORCH

__all__ = ["VolumeInferer"]


class VolumeInferer(Inferer):
    """Blend windows by Gaussian weights, at the spacing of the network, slab by slab, on the volume's own grid.

    MONAI's `SlidingWindowInferer` keeps the logits of the whole volume, and resampling them back copies them: several times
    4 bytes a voxel and class. Here finished slices are brought to the volume's grid and decided on at once (see
    `medkd.inferers.blending`). What is kept beside the volume is one byte a voxel and the logits of one slab of windows, on
    the device of the volume.

    Args:
        roi_size: slices, rows, columns of a window; smaller volumes are padded.
        spacing: mm that the network was trained at; None: the volume's own. Needs a MetaTensor, whose affine has its spacing.
        sw_batch_size: windows at once.
        overlap: of neighbouring windows, a share of the window's edge, from 0 to below 1.
        cval: value that volumes are padded with.
        decide: logits (K, slices, rows, columns) of finished slices to labels (1, ...); None returns the logits themselves.
        output_spacing: mm of the result; None: on the volume's own grid.

    Shape:
        (1, C, *spatial) to (1, 1, *spatial), or (1, K, *spatial) without ``decide``.

    Raises:
        ValueError: for a batch of several volumes, or a spacing and an image without one.
    """

    def __init__(
        self,
        roi_size: Sequence[int],
        spacing: Sequence[float] | None = None,
        sw_batch_size: int = 1,
        overlap: float = 0.5,
        cval: float = -1,
        decide: Callable[[Tensor], Tensor] | None = None,
        output_spacing: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.spacing, self.output_spacing = spacing, output_spacing
        self.windows = Windows(tuple(roi_size), overlap, sw_batch_size, cval)
        self.overlap = overlap
        self.decide = decide

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Run a network over one volume.

        Args:
            inputs: ``(1, C, *spatial)``.
            network: windows ``(N, C, *roi_size)`` to logits ``(N, K, *roi_size)``.
            *args: further arguments of the network.
            **kwargs: further keyword arguments of the network.

        Returns:
            Labels or logits, on the grid of the volume (a MetaTensor where the input is one) or at `output_spacing`.
        """
        if inputs.shape[0] != 1:
            raise ValueError(f"VolumeInferer: found a batch of {inputs.shape[0]} volumes, expected one")
        shape = tuple(inputs.shape[2:])
        size, output = (self._size_at(inputs, spacing) for spacing in (self.spacing, self.output_spacing))
        image = inputs.as_subclass(Tensor)
        image = image if size == shape else F.interpolate(image, size, mode="trilinear")
        stretches = blend_windows(image[0], lambda crops: network(crops, *args, **kwargs), self.windows, TORCH)
        slabs = len(window_starts(max(size[0], self.windows.size[0]), self.windows.size[0], self.windows.overlap))
        bar = tqdm(stretches, total=slabs, unit="slab", leave=False, disable=progress_disabled())

        def decide(stretches: Iterator[Tensor]) -> list[Tensor]:
            resized = resize_stretches(stretches, size, output, TORCH)
            return [stretch if self.decide is None else self.decide(stretch) for stretch in resized]

        # a GPU computes beside this thread anyway, in a stream that belongs to the thread
        results = consume_beside(bar, decide) if image.device.type == "cpu" else decide(iter(bar))
        result = torch.cat(results, dim=1)[None]
        return MetaTensor(result, meta=inputs.meta) if isinstance(inputs, MetaTensor) and output == shape else result

    def _size_at(self, image: Tensor, spacing: Sequence[float] | None) -> tuple[int, ...]:
        """Return the voxels of an image (1, C, *spatial) at a spacing in mm; None: its own."""
        shape = tuple(image.shape[2:])
        return shape if spacing is None else size_at_spacing(shape, self.spacing_of(image), spacing)

    @staticmethod
    def spacing_of(image: Tensor) -> list[float]:
        """Read the spacing in mm of an image's axes."""
        if not isinstance(image, MetaTensor):
            raise ValueError("VolumeInferer: found a plain tensor, expected a MetaTensor, whose affine has the spacing")
        return image.affine.reshape(-1, 4, 4)[0][:3, :3].norm(dim=0).tolist()
