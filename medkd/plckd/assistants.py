"""The start of an assistant's training: its weights, and the norms that keep theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from medkd.networks import load_weights
from medkd.teachers import teacher_kind

__all__ = ["init_assistant", "norm_layers"]


def init_assistant(network: nn.Module, teacher: str | Path | Sequence[str | Path], init: str) -> nn.Module:
    """Return an assistant with the weights that its training starts from.

    Args:
        network: the assistant, with random weights.
        teacher: path of T's weights, or paths of an ensemble.
        init: "teacher" loads T's weights, "scratch" keeps the random ones.

    Raises:
        FileNotFoundError: If the teacher's weights are missing.
        ValueError: If ``init`` is neither, the weights do not fit, or the teacher is external or an ensemble.
    """
    if init not in ("teacher", "scratch"):
        raise ValueError(f"--init: found {init!r}, expected teacher or scratch")
    if init == "scratch":
        return network
    if not isinstance(teacher, str | Path) or teacher_kind(teacher) != "weights":
        raise ValueError(
            f"init teacher: found {teacher}, expected one medkd run: use --init scratch "
            "(--false_pixel_assistant::init scratch and the like in medkd distill)"
        )
    return load_weights(network, teacher, "teacher")


def norm_layers(network: nn.Module) -> list[nn.Module]:
    """Return the batch norms of a network, to keep the statistics of synthetic images out of them.

    Example:
        >>> len(norm_layers(nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))))
        1
    """
    return [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
