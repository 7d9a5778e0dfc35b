"""A 2-D network over the slices of a whole volume, in memory that does not grow with the number of classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer, SliceInferer
from torch import Tensor
from tqdm import tqdm

from medkd.parallel.group import progress_disabled

__all__ = ["SliceBatchInferer"]


class SliceBatchInferer(Inferer):
    """Run a 2-D network over the slices of a volume, batch by batch, and decide on each batch at once.

    The logits are those of MONAI's `SliceInferer` along the first axis, bit for bit: the windows are those of the whole
    volume, in the same batches. `SliceInferer` keeps the logits of the whole volume: 4 bytes a voxel and class, three times
    over while windows are blended and geometry is inverted. Here one byte a voxel is kept, and the logits of one batch. A
    terminal shows a bar of slices.

    Args:
        roi_size: rows, columns of a window; smaller slices are padded, larger ones covered by several windows.
        sw_batch_size: slices, and windows, at once.
        cval: value that slices are padded with.
        mode: weights of windows that overlap in a slice, "gaussian" or "constant".
        decide: logits (K, slices, rows, columns) to labels (1, ...); None returns the logits themselves.

    Shape:
        (N, C, slices, rows, columns) to (N, 1, ...), or (N, K, ...) without ``decide``.
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

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Run a network over volumes.

        Args:
            inputs: ``(N, C, slices, rows, columns)``.
            network: slices ``(B, C, *roi_size)`` to logits ``(B, K, *roi_size)``.
            *args: further arguments of the network.
            **kwargs: further keyword arguments of the network.

        Returns:
            Labels or logits of all slices; a MetaTensor where the input is one.
        """
        image = inputs.as_subclass(Tensor)
        result: Tensor | None = None
        total = image.shape[2]
        with tqdm(total=total, unit="slice", leave=False, disable=progress_disabled()) as bar:
            # as many slices as windows at once: then windows meet in the batches that they would in the whole volume
            for start in range(0, total, self.slices.sw_batch_size):
                batch = image[:, :, start : start + self.slices.sw_batch_size]
                logits = self.slices(batch, network, *args, **kwargs)
                assert isinstance(logits, Tensor)
                if self.decide is not None:
                    logits = torch.stack([self.decide(volume) for volume in logits])
                if result is None:
                    result = logits.new_empty((*logits.shape[:2], total, *logits.shape[3:]))
                result[:, :, start : start + batch.shape[2]] = logits
                bar.update(batch.shape[2])
        assert result is not None
        return MetaTensor(result, meta=inputs.meta) if isinstance(inputs, MetaTensor) else result
