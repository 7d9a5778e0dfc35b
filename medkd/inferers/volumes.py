"""Sliding windows over a whole volume whose memory does not grow with the number of classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import torch
from monai.data import MetaTensor
from monai.data.utils import compute_importance_map, dense_patch_slices
from monai.inferers import Inferer
from monai.inferers.utils import sliding_window_inference
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from medkd.parallel.group import progress_disabled

__all__ = ["VolumeInferer"]


class VolumeInferer(Inferer):
    """Windows blended by Gaussian weights, at the spacing of the network, slab by slab; the result has the volume's own grid.

    MONAI's `SlidingWindowInferer` keeps the logits of the whole volume, and resampling them back copies them: several times
    4 bytes a voxel and class. Here the slices behind the last window are finished, brought to the volume's grid, and decided
    on at once, so what is kept beside the volume is one byte a voxel and the logits of about one row of windows.

    Args:
        roi_size: slices, rows, columns of a window; smaller volumes are padded.
        spacing: mm that the network was trained at; None: the volume's own. Needs a MetaTensor, which knows its own.
        sw_batch_size: windows at once.
        overlap: of neighbouring windows, a share of the window's edge, from 0 to below 1.
        cval: what volumes are padded with.
        decide: logits (K, slices, rows, columns) of finished slices to labels (1, ...); None gives the logits themselves.

    Shape:
        (1, C, *spatial) to (1, 1, *spatial), or (1, K, *spatial) when nothing decides.

    Raises:
        ValueError: for a batch of several volumes, or a spacing and an image that does not know its own.
    """

    def __init__(
        self,
        roi_size: Sequence[int],
        spacing: Sequence[float] | None = None,
        sw_batch_size: int = 1,
        overlap: float = 0.5,
        cval: float = -1,
        decide: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.roi_size = tuple(roi_size)
        self.spacing = spacing
        self.windows = {"sw_batch_size": sw_batch_size, "overlap": overlap, "cval": cval, "mode": "gaussian"}
        self.overlap = overlap
        self.decide = decide

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args, **kwargs) -> Tensor:
        if inputs.shape[0] != 1:
            raise ValueError(f"VolumeInferer: a batch of {inputs.shape[0]} volumes, expected one")
        shape = tuple(inputs.shape[2:])
        size = self._network_size(inputs, shape)
        image = inputs.as_subclass(Tensor)
        image = image if size == shape else F.interpolate(image, size, mode="trilinear")
        parts = [
            part if self.decide is None else self.decide(part)
            for part in _on_grid(self._finished(image, network), size, shape)
        ]
        result = torch.cat(parts, dim=1)[None]
        return MetaTensor(result, meta=inputs.meta) if isinstance(inputs, MetaTensor) else result

    def _network_size(self, image: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
        if self.spacing is None:
            return shape
        if not isinstance(image, MetaTensor):
            raise ValueError(
                "VolumeInferer: spacing is set, and the image does not know its own: expected a MetaTensor"
            )
        affine = image.affine.reshape(-1, 4, 4)[0]
        own = affine[:3, :3].norm(dim=0).tolist()
        return tuple(max(1, round(n * mm / wanted)) for n, mm, wanted in zip(shape, own, self.spacing, strict=True))

    def _finished(self, image: Tensor, network: nn.Module) -> Iterator[Tensor]:
        """Blended logits (K, slices, rows, columns) of one stretch of slices after the other."""
        size = image.shape[2:]
        low = [max(edge - n, 0) // 2 for edge, n in zip(self.roi_size, size, strict=True)]
        high = [max(edge - n, 0) - before for edge, n, before in zip(self.roi_size, size, low, strict=True)]
        padding = [amount for pair in zip(low[::-1], high[::-1], strict=True) for amount in pair]
        if any(padding):
            image = F.pad(image, padding, value=self.windows["cval"])
        inside = tuple(slice(before, before + n) for before, n in zip(low, size, strict=True))
        # only a volume of one window has slices too many, hence one stretch
        yield from (part[(slice(None), *inside)] if any(padding) else part for part in self._blended(image, network))

    def _blended(self, image: Tensor, network: nn.Module) -> Iterator[Tensor]:
        """Of an image that is nowhere smaller than a window."""
        edge, step = self.roi_size[0], max(1, int(self.roi_size[0] * (1 - self.overlap)))
        starts = [place[0].start for place in dense_patch_slices((image.shape[2],), (edge,), (step,))]
        weight = self._weights(image)
        total, weights = None, None
        stretches = list(pairwise([*starts, image.shape[2]]))
        for start, following in tqdm(stretches, unit="slab", leave=False, disable=progress_disabled()):
            slab = image[:, :, start : start + edge]
            # MONAI has divided by the weights of the slab's own windows; the next slab's are still to come
            logits = sliding_window_inference(slab, self.roi_size, predictor=network, **self.windows)[0].float()
            logits *= weight
            own = weight.clone()
            if total is not None:
                logits[:, : total.shape[1]] += total
                own[: len(weights)] += weights
            done = following - start
            yield logits[:, :done] / own[:done]
            total, weights = logits[:, done:], own[done:]

    def _weights(self, image: Tensor) -> Tensor:
        """Sum of the windows' weights in one slab, as thick as a window."""
        steps = [max(1, int(edge * (1 - self.overlap))) for edge in self.roi_size]
        slab = (self.roi_size[0], *image.shape[3:])
        own = compute_importance_map(self.roi_size, mode=self.windows["mode"], device=image.device)
        total = torch.zeros(slab, device=image.device)
        for window in dense_patch_slices(slab, self.roi_size, steps):
            total[window] += own
        return total


def _on_grid(stretches: Iterator[Tensor], size: Sequence[int], shape: Sequence[int]) -> Iterator[Tensor]:
    """Logits of a volume of ``size``, stretch by stretch, interpolated to ``shape``, stretch by stretch.

    The same values as ``F.interpolate(..., mode="trilinear")`` of the whole volume, of which only neighbours are kept.
    """
    if tuple(size) == tuple(shape):
        yield from stretches
        return
    # centre of each wanted slice in slices that are there, as align_corners=False has it
    places = ((torch.arange(shape[0]) + 0.5) * size[0] / shape[0] - 0.5).clamp(0, size[0] - 1)
    first, written, kept, begin = places.floor().long(), 0, None, 0
    for stretch in stretches:
        kept = stretch if kept is None else torch.cat([kept, stretch], dim=1)
        end = begin + kept.shape[1]
        # a wanted slice needs the one after its place as well, unless there is none
        ready = shape[0] if end == size[0] else int((first + 1 < end).sum())
        if ready > written:
            low = (first[written:ready] - begin).to(kept.device)
            high = (low + 1).clamp(max=kept.shape[1] - 1)
            share = (places[written:ready].to(kept.device) - (low + begin))[:, None, None]
            between = torch.lerp(kept[:, low], kept[:, high], share)
            yield F.interpolate(between.movedim(1, 0), tuple(shape[1:]), mode="bilinear").movedim(0, 1)
            written = ready
            drop = min(int(first[min(written, shape[0] - 1)]) - begin, kept.shape[1])
            kept, begin = kept[:, drop:], begin + drop
