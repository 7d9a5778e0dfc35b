"""Loading a run's weights into a network, with an error that a user can act on."""

from __future__ import annotations

import errno
import re
import warnings
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from medkd.runs.folder import RunFolder

__all__ = ["check_fit", "load_weights", "read_weights", "weights_file"]

_CODE = re.compile(r"GLOBAL ([\w.]+)")  # what a pickle would have called, in PyTorch's message

Network = TypeVar("Network", bound=nn.Module)


def load_weights(network: Network, path: str | Path, role: str = "model") -> Network:
    """Loads a state dict into the network and returns the network.

    Args:
        network: must fit the file exactly.
        path: a file, or the output folder of a run, whose ``model.pt`` is taken.
        role: what the error message calls the file, "teacher" for example.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is not a file of weights (nothing in it is executed), or those of another network.
    """
    file = weights_file(path, role)
    state = read_weights(file, role)
    check_fit(network, state, f"{role} {file}")
    network.load_state_dict(state)
    return network


def weights_file(path: str | Path, role: str = "model") -> Path:
    """The file itself, or ``model.pt`` of a folder.

    Raises:
        FileNotFoundError: when there is no such file.
    """
    file = Path(path)
    file = RunFolder(file).model if file.is_dir() else file
    if not file.is_file():
        raise FileNotFoundError(
            f"{role} {file}: no such file, expected the model.pt of a finished training run (--{role} PATH)"
        )
    return file


def read_weights(file: Path, role: str = "model") -> Any:
    """What a file of tensors holds, on the CPU.

    Raises:
        ValueError: when it cannot be read, or holds anything but tensors and plain values: nothing in it is executed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles of another kind, which are refused in a line of ours
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # of a damaged pickle: IndexError, AttributeError, whatever its next byte leads to
        raise ValueError(f"{role} {file}: not a readable file of weights: {_reason(file, error)}") from None


def _reason(file: Path, error: Exception) -> str:
    """In our words: PyTorch's are several lines, and advise to execute what is in the file."""
    # a truncated archive is an "Invalid argument", of a place before its begin
    if isinstance(error, OSError) and error.strerror and error.errno != errno.EINVAL:
        return error.strerror
    if (size := file.stat().st_size) == 0:
        return "it is empty"
    if named := _CODE.search(str(error)):
        return f"it holds {named[1]}, expected tensors and plain values alone (nothing in it was executed)"
    return f"its {size} bytes are damaged, truncated, or no file of PyTorch"


def check_fit(network: nn.Module, state: object, name: str) -> None:
    """Raises ValueError unless the names and shapes of a state dict are those of the network; ``name`` begins the message."""
    kind = type(network).__name__
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"{name}: holds {type(state).__name__}, expected the state dict of a {kind}")
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    if expected == found:
        _check_finite(state, name)
        return
    differing = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    first = differing[0]
    raise ValueError(
        f"{name}: weights of another network, {len(differing)} tensors do not fit {kind}; first: {first} is "
        f"{found.get(first, 'missing')} in the file, {expected.get(first, 'absent')} in the network"
    )


def _check_finite(state: dict[str, torch.Tensor], name: str) -> None:
    """A training that diverged: its predictions would all be background, without a word."""
    bad = next((key for key, value in state.items() if not torch.isfinite(value).all()), None)
    if bad is not None:
        raise ValueError(f"{name}: {bad} holds NaN or infinity, expected weights of a training that converged")
