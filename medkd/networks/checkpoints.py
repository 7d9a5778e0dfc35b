"""Load the weights of a run into a network, with error messages that a user can act on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from medkd.runs.folder import RunFolder

from .misfit import explain_misfit
from .state_dict import Candidate, find_candidates, select
from .weight_file import read_weights

__all__ = ["fit_state", "load_weights", "weights_file"]

_SUFFIXES = {".pt", ".pth", ".ckpt", ".safetensors", ".ts"}
Network = TypeVar("Network", bound=nn.Module)


def load_weights(network: Network, path: str | Path, role: str = "model") -> Network:
    """Load a state dict into a network.

    The file may be one of another trainer, see `fit_state`.

    Args:
        network: a network that fits the weights exactly.
        path: a file, or the output folder of a run, whose ``model.pt`` is taken.
        role: name of the file in error messages, "teacher" for example.

    Returns:
        The network.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when the file holds no weights (nothing in it is executed), or those of another network.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "model.pt"
        >>> torch.save(nn.Linear(1, 1).state_dict(), file)
        >>> load_weights(nn.Linear(1, 1), file)
        Linear(in_features=1, out_features=1, bias=True)
    """
    file = weights_file(path, role)
    network.load_state_dict(fit_state(network, read_weights(file, role), role, file))
    return network


def weights_file(path: str | Path, role: str = "model") -> Path:
    """Return the file itself, or ``model.pt`` of the folder of a run.

    Args:
        path: a file or a folder.
        role: name of the file in error messages.

    Raises:
        FileNotFoundError: when there is no such file.
    """
    file = Path(path)
    file = RunFolder(file).model if file.is_dir() else file
    if not file.is_file():
        others = sorted(item.name for item in file.parent.glob("*") if item.suffix in _SUFFIXES)
        hint = f"; the folder holds {', '.join(others)}: give one by its path" if others else ""
        raise FileNotFoundError(
            f"{role} {file}: no such file, expected the model.pt of a finished training run (--{role} PATH){hint}"
        )
    return file


def fit_state(network: nn.Module, content: object, role: str, file: str | Path) -> dict[str, torch.Tensor]:
    """Return the state dict of a network in the content of a file, wherever it lies in it; print a note on where.

    The tensors may lie below keys (``state_dict``, ``model``, ``ema``, ...), and their names may have a common prefix
    (``module.``, ``_orig_mod.``, ``net.``, ...). They must then be exactly those of the network: nothing is loaded in part.

    Args:
        network: the network.
        content: of the file.
        role: name of the file in messages.
        file: its path.

    Raises:
        ValueError: when names, shapes, types or values are not those of such a network.
    """
    source, kind = f"{role} {file}", type(network).__name__
    candidates = find_candidates(network, content)
    if not candidates:
        raise ValueError(f"{source}: holds {_describe(content)}, expected the state dict of a {kind}")
    expected = _shapes(network.state_dict())
    fitting = [candidate for candidate in candidates if _shapes(candidate.state) == expected]
    if not fitting:
        raise ValueError(f"{source}: {_misfit(network, candidates[0], role)}")
    candidate, note = select(fitting, role, source)
    _check_values(network, candidate.state, source)
    if note:
        print(note, flush=True)
    return candidate.state


def _shapes(state: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in state.items()}


def _describe(content: object) -> str:
    """Return what a file holds in place of weights."""
    if not isinstance(content, Mapping):
        return type(content).__name__
    if {"state", "param_groups"} <= content.keys():
        return "the state of an optimizer"
    return f"{type(content).__name__} ({', '.join(map(str, list(content)[:5]))})" if content else "an empty dict"


def _misfit(network: nn.Module, nearest: Candidate, role: str) -> str:
    """Return why the nearest candidate of a file does not fit."""
    here, file = _shapes(network.state_dict()), _shapes(nearest.state)
    count = sum(here.get(name) != file.get(name) for name in here.keys() | file.keys())
    place = f" {nearest.place}" if nearest.keys or nearest.prefix else ""
    return (
        f"weights of another network{place}, {count} tensors do not fit {type(network).__name__}; "
        f"{explain_misfit(network, file, role)}"
    )


def _check_values(network: nn.Module, state: Mapping[str, torch.Tensor], source: str) -> None:
    """Raise ValueError for quantized weights, and for those of a training that diverged: all would be background."""
    for name, value in network.state_dict().items():
        weights = state[name]
        if weights.is_quantized or weights.is_floating_point() != value.is_floating_point():
            raise ValueError(f"{source}: {name} is {weights.dtype}, expected {value.dtype}")
        if not torch.isfinite(weights).all():
            raise ValueError(f"{source}: {name} holds NaN or infinity, expected weights of a training that converged")
