"""A network of torch in the pipeline of `medkd.deploy.runtime`, on the CPU: neither MONAI nor its engines are imported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from medkd.deploy.runtime.arrays import Arrays
from medkd.deploy.runtime.spec import ModelSpec
from medkd.inferers.torch_backend import TORCH

__all__ = ["TorchModel"]

_MODES = {2: "bilinear", 3: "trilinear"}


def _resize(image: Tensor, size: Sequence[int]) -> Tensor:
    if tuple(image.shape[1:]) == tuple(size):
        return image
    return F.interpolate(image[None], tuple(size), mode=_MODES[len(size)])[0]


def _labels(logits: Tensor) -> np.ndarray:
    return logits.argmax(dim=0, keepdim=True).to(torch.uint8).numpy()


def _foreground(logits: Tensor) -> np.ndarray:
    return logits.softmax(dim=0)[1:].numpy()


def _show(stretches: Iterator[Tensor], total: int, unit: str) -> Iterator[Tensor]:
    yield from tqdm(stretches, total=total, unit=unit, leave=False, disable=None)


class TorchModel:
    """A network on the CPU from images ``(N, C, *spatial)`` to logits ``(N, K, *spatial)``.

    Args:
        path: the folder of its run, or its ``model.pt``.
        description: what its images must be, and what its classes are.
        network: with its weights; it is set to evaluation.

    Attributes:
        path: see above.
        description: see above.
        precision: always "float32".
        arrays: torch's operations.

    Example:
        >>> spec = ModelSpec(
        ...     "nifti", "slices", 1, None, (0, 1), True, -1, "IPL", (8, 8), None, 0.25, 1, {1: "a"}, "argmax", {}, "", ""
        ... )
        >>> TorchModel("run", spec, nn.Conv2d(1, 2, kernel_size=1))(torch.zeros(1, 1, 8, 8)).shape
        torch.Size([1, 2, 8, 8])
    """

    precision = "float32"
    arrays: Arrays[Tensor] = Arrays(
        from_numpy=lambda image: torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32)),
        resize=_resize,
        labels=_labels,
        foreground=_foreground,
        backend=TORCH,
        show=_show,
        in_float32=True,
    )

    def __init__(self, path: str | Path, description: ModelSpec, network: nn.Module) -> None:
        self.path, self.description = path, description
        self._network = network.eval().requires_grad_(False)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the logits of images."""
        return self._network(images)
