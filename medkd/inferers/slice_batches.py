"""A 2-D network over the slices of a whole volume, whose memory does not grow with the number of classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer, SliceInferer
from torch import Tensor
from tqdm import tqdm

from medkd.parallel.group import progress_disabled

__all__ = ["SliceBatchInferer"]


class SliceBatchInferer(Inferer):
    """MONAI's `SliceInferer` along the first axis, one batch of slices after the other, each decided on at once.

    `SliceInferer` keeps the logits of the whole volume: 4 bytes a voxel and class, three times over while windows are
    blended and geometry is inverted. Here one byte a voxel is kept, and the logits of one batch. The values are the same
    bit for bit: the windows are those of the whole volume, in the same batches. A terminal sees a bar of slices.

    Args:
        roi_size: rows, columns of a window; smaller slices are padded, larger ones covered by several windows.
        sw_batch_size: slices, and windows, at once.
        cval: what slices are padded with.
        mode: how windows that overlap in a slice are blended, "gaussian" or "constant".
        decide: logits (K, slices, rows, columns) to labels (1, ...); None gives the logits themselves.

    Shape:
        (N, C, slices, rows, columns) to (N, 1, ...), or (N, K, ...) when nothing decides.
    """

    def __init__(
        self,
        roi_size: Sequence[int],
        sw_batch_size: int = 1,
        cval: float = -1,
        mode: str = "gaussian",
        decide: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.slices = SliceInferer(
            spatial_dim=0, roi_size=tuple(roi_size), sw_batch_size=sw_batch_size, cval=cval, mode=mode
        )
        self.decide = decide

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args, **kwargs) -> Tensor:
        image = inputs.as_subclass(Tensor)
        result: Tensor | None = None
        total = image.shape[2]
        with tqdm(total=total, unit="slice", leave=False, disable=progress_disabled()) as bar:
            # as many slices as windows at once: then windows meet in the batches that they would in the whole volume
            for start in range(0, total, self.slices.sw_batch_size):
                part = image[:, :, start : start + self.slices.sw_batch_size]
                found = self.slices(part, network, *args, **kwargs)
                if self.decide is not None:
                    found = torch.stack([self.decide(one) for one in found])
                if result is None:
                    result = found.new_empty((*found.shape[:2], total, *found.shape[3:]))
                result[:, :, start : start + part.shape[2]] = found
                bar.update(part.shape[2])
        return MetaTensor(result, meta=inputs.meta) if isinstance(inputs, MetaTensor) else result
