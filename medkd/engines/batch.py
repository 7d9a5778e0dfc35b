"""The tensors of a batch as a training step needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from medkd.networks.memory_format import to_channels_last

__all__ = ["channels_last_batch", "plain_batch"]


def plain_batch(prepare_batch: Callable[..., tuple], *args: Any, **kwargs: Any) -> tuple:
    """Return what a trainer's ``prepare_batch`` returns, with plain tensors in the place of MONAI's `MetaTensor`.

    Python code runs at each operation on a `MetaTensor`, and a training step needs no affine. Of a small network this code
    takes as long as half of the step, during which a GPU waits.

    Args:
        prepare_batch: returns image, label and perhaps further arguments, as MONAI's `default_prepare_batch` does.
        *args: its arguments.
        **kwargs: its arguments.

    Example:
        >>> import torch
        >>> from monai.data import MetaTensor
        >>> [type(value).__name__ for value in plain_batch(lambda: (MetaTensor(torch.zeros(1)), None))]
        ['Tensor', 'NoneType']
    """
    batch = prepare_batch(*args, **kwargs)
    return tuple(value.as_subclass(Tensor) if isinstance(value, Tensor) else value for value in batch)


def channels_last_batch(prepare_batch: Callable[..., tuple], *args: Any, **kwargs: Any) -> tuple:
    """Return what a trainer's ``prepare_batch`` returns, with the channels of the image last.

    Args:
        prepare_batch: see `plain_batch`.
        *args: its arguments.
        **kwargs: its arguments.
    """
    image, *others = prepare_batch(*args, **kwargs)
    return to_channels_last(image), *others
