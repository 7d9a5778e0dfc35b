"""Load the weights of a run into a network, with error messages that a user can act on."""

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

_CODE = re.compile(r"GLOBAL ([\w.]+)")  # the function that a pickle names, in PyTorch's message

Network = TypeVar("Network", bound=nn.Module)


def load_weights(network: Network, path: str | Path, role: str = "model") -> Network:
    """Load a state dict into a network.

    Args:
        network: a network that fits the file exactly.
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
    state = read_weights(file, role)
    check_fit(network, state, f"{role} {file}")
    network.load_state_dict(state)
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
        raise FileNotFoundError(
            f"{role} {file}: no such file, expected the model.pt of a finished training run (--{role} PATH)"
        )
    return file


def read_weights(file: Path, role: str = "model") -> Any:
    """Read a file of tensors, on the CPU.

    Args:
        file: the file.
        role: name of the file in error messages.

    Raises:
        ValueError: when the file cannot be read, or holds anything except tensors and plain values (nothing in it is
            executed).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other pickles, which are refused below
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle raises IndexError, AttributeError and others
        raise ValueError(f"{role} {file}: not a readable file of weights: {_reason(file, error)}") from None


def _reason(file: Path, error: Exception) -> str:
    """Return why a file is refused, in one line. PyTorch's message has several and advises to execute the file."""
    # a truncated archive raises "Invalid argument" (EINVAL), for an offset before its first byte
    if isinstance(error, OSError) and error.strerror and error.errno != errno.EINVAL:
        return error.strerror
    if (size := file.stat().st_size) == 0:
        return "it is empty"
    if code := _CODE.search(str(error)):
        return f"it holds {code[1]}, expected tensors and plain values alone (nothing in it was executed)"
    return f"its {size} bytes are damaged, truncated, or no file of PyTorch"


def check_fit(network: nn.Module, state: object, name: str) -> None:
    """Check that the names and shapes of a state dict are those of a network, and that its values are finite.

    Args:
        network: the network.
        state: the content of a file.
        name: role and path of the file, for error messages.

    Raises:
        ValueError: otherwise.
    """
    kind = type(network).__name__
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"{name}: holds {type(state).__name__}, expected the state dict of a {kind}")
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    actual = {key: tuple(value.shape) for key, value in state.items()}
    if expected == actual:
        _check_finite(state, name)
        return
    differing = sorted(key for key in expected.keys() | actual.keys() if expected.get(key) != actual.get(key))
    first = differing[0]
    raise ValueError(
        f"{name}: weights of another network, {len(differing)} tensors do not fit {kind}; first: {first} is "
        f"{actual.get(first, 'missing')} in the file, {expected.get(first, 'absent')} in the network"
    )


def _check_finite(state: dict[str, torch.Tensor], name: str) -> None:
    """Raise ValueError for weights of a training that diverged: its predictions would all be background."""
    bad = next((key for key, value in state.items() if not torch.isfinite(value).all()), None)
    if bad is not None:
        raise ValueError(f"{name}: {bad} holds NaN or infinity, expected weights of a training that converged")
