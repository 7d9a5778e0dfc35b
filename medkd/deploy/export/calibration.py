"""What a network sees of whole cases: a seeded sample of its windows."""

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
    """Windows ``(1, C, *size)`` as inference makes them, of cases drawn at random, half of them with the target where
    there are so many; the same for the same seed.
    """
    generator = np.random.default_rng(seed)
    drawn = [cases[index] for index in generator.permutation(len(cases))[:count]]
    each = math.ceil(count / len(drawn))
    windows = []
    for number, case in enumerate(drawn):
        sampler = _Sampler(each, generator)
        with torch.inference_mode():
            inferer(_with_label(preprocessing(case)), sampler)
        windows += sampler.windows((each + number % 2) // 2)
    return windows[:count]


def _with_label(item: dict[str, Any]) -> MetaTensor:
    """(1, C + 1, *spatial): image and label go through the windows together."""
    image = list_data_collate([item])["image"]
    label = torch.as_tensor(item["label"])[None].as_subclass(Tensor).float()
    if label.shape[2:] != image.shape[2:]:  # of a picture, which keeps its size
        label = F.interpolate(label, image.shape[2:], mode="nearest")
    return MetaTensor(torch.cat([image.as_subclass(Tensor), label], dim=1), meta=image.meta)


class _Sampler(nn.Module):
    """In the place of a network: keeps windows drawn at random, those with the target apart from those without."""

    def __init__(self, count: int, generator: np.random.Generator) -> None:
        super().__init__()
        self.count, self.generator = count, generator
        self.kept: dict[bool, list[tuple[float, np.ndarray]]] = {True: [], False: []}

    def forward(self, windows: Tensor) -> Tensor:
        for window in windows.as_subclass(Tensor):
            kept, rank = self.kept[bool((window[-1] > 0.5).any())], self.generator.random()
            if len(kept) < self.count:
                heapq.heappush(kept, (rank, window[None, :-1].numpy().copy()))
            elif rank > kept[0][0]:
                heapq.heapreplace(kept, (rank, window[None, :-1].numpy().copy()))
        return windows.new_zeros(len(windows), 2, *windows.shape[2:])

    def windows(self, with_target: int) -> list[np.ndarray]:
        """As many with the target as asked for, and the others without, where the case has so many of both."""
        having, without = ([window for _, window in sorted(self.kept[key])] for key in (True, False))
        first = having[: max(with_target, self.count - len(without))]
        return [*first, *without[: self.count - len(first)]]
