"""Sample windows of whole cases, as a network sees them in inference."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor, list_data_collate
from monai.transforms import Transform
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["sample_windows"]


def sample_windows(
    cases: Sequence[dict[str, Any]], preprocessing: Transform, inferer: Any, count: int, seed: int
) -> list[np.ndarray]:
    """Sample windows of randomly chosen cases, half of them with the target if there are so many.

    Args:
        cases: entries of the data list.
        preprocessing: entry to ``image`` and ``label``, if it has one.
        inferer: cuts the image into windows.
        count: number of windows.
        seed: of the random choice.

    Returns:
        Windows ``(1, C, *size)``, float32.
    """
    generator = np.random.default_rng(seed)
    sampled = [cases[index] for index in generator.permutation(len(cases))[:count]]
    count_per_case = math.ceil(count / len(sampled))
    windows = []
    for number, case in enumerate(sampled):
        sampler = _WindowSampler(count_per_case, generator)
        with torch.inference_mode():
            inferer(_with_label(preprocessing(case)), sampler)
        windows += sampler.choose((count_per_case + number % 2) // 2)
    return windows[:count]


def _with_label(item: dict[str, Any]) -> MetaTensor:
    """Return ``(1, C + 1, *spatial)``: the inferer cuts image and label, zeros without one, into the same windows."""
    image = list_data_collate([item])["image"]
    if "label" not in item:
        return MetaTensor(
            torch.cat([image.as_subclass(Tensor), torch.zeros_like(image[:, :1])], dim=1), meta=image.meta
        )
    label = torch.as_tensor(item["label"])[None].as_subclass(Tensor).float()
    if label.shape[2:] != image.shape[2:]:  # pictures are resized, their labels are not
        label = F.interpolate(label, image.shape[2:], mode="nearest")
    return MetaTensor(torch.cat([image.as_subclass(Tensor), label], dim=1), meta=image.meta)


class _WindowSampler(nn.Module):
    """Stands in for a network and keeps a random sample of its windows.

    Args:
        count: windows to keep with the target, and as many without.
        generator: of random ranks; the windows with the highest ranks are kept.
    """

    def __init__(self, count: int, generator: np.random.Generator) -> None:
        super().__init__()
        self.count, self.generator = count, generator
        self.windows_by_target: dict[bool, list[tuple[float, np.ndarray]]] = {True: [], False: []}

    def forward(self, windows: Tensor) -> Tensor:
        """Rank windows ``(N, C + 1, *size)`` and return logits of zeros."""
        for window in windows.as_subclass(Tensor):
            kept, rank = self.windows_by_target[bool((window[-1] > 0.5).any())], self.generator.random()
            if len(kept) < self.count:
                heapq.heappush(kept, (rank, window[None, :-1].numpy().copy()))
            elif rank > kept[0][0]:
                heapq.heapreplace(kept, (rank, window[None, :-1].numpy().copy()))
        return windows.new_zeros(len(windows), 2, *windows.shape[2:])

    def choose(self, count_with_target: int) -> list[np.ndarray]:
        """Return ``count`` windows, ``count_with_target`` of them with the target, if the case has so many of both."""
        target, background = (
            [window for _, window in sorted(self.windows_by_target[has_target])] for has_target in (True, False)
        )
        target = target[: max(count_with_target, self.count - len(background))]
        return [*target, *background[: self.count - len(target)]]
