"""What inference needs of a network, and of the library whose arrays it takes: numpy, or torch (`medkd.deploy.torch_model`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from medkd.inferers.blending import Backend

from .resample import NUMPY, resize
from .spec import ModelSpec

__all__ = ["NUMPY_ARRAYS", "Arrays", "Model"]

Array = TypeVar("Array", bound=Any)  # np.ndarray or torch.Tensor


class Arrays(NamedTuple, Generic[Array]):
    """The operations around a network, on arrays of one library."""

    from_numpy: Callable[[np.ndarray], Array]
    """An image as an array of the library."""
    resize: Callable[[Array, Sequence[int]], Array]
    """``(C, *spatial)`` interpolated linearly to a size."""
    labels: Callable[[Array], np.ndarray]
    """Logits ``(K, *spatial)`` to the label map ``(1, *spatial)``, uint8."""
    foreground: Callable[[Array], np.ndarray]
    """Logits ``(K, *spatial)`` to their softmax without the background, ``(K - 1, *spatial)``."""
    backend: Backend[Array]
    """The operations that blend windows."""
    show: Callable[[Iterator[Array], int, str], Iterator[Array]]
    """The same iterator, whose progress may be shown: its length, and what its items are."""
    in_float32: bool
    """Whether images that were scaled by their percentiles are rounded to float32 before the window is applied."""


class Model(Protocol):
    """A network that describes its own input.

    Attributes:
        path: of the file, or of the folder of the run.
        description: what its images must be, and what its classes are.
        precision: in which it computes.
        arrays: the operations around it.
    """

    path: str | Path
    description: ModelSpec
    precision: str
    arrays: Arrays[Any]

    def __call__(self, images: Any) -> Any:
        """Return the logits ``(N, K, *spatial)`` of images ``(N, C, *spatial)``."""


def _labels(logits: np.ndarray) -> np.ndarray:
    return logits.argmax(axis=0).astype(np.uint8)[None]


def _foreground(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(axis=0))
    return (shifted / shifted.sum(axis=0))[1:]


NUMPY_ARRAYS: Arrays[np.ndarray] = Arrays(
    from_numpy=lambda image: image,
    resize=resize,
    labels=_labels,
    foreground=_foreground,
    backend=NUMPY,
    show=lambda stretches, total, unit: stretches,
    in_float32=False,
)
