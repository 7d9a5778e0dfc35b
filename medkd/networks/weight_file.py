"""Read a file of weights as tensors and plain values; nothing in it is executed."""

from __future__ import annotations

import argparse
import errno
import pathlib
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from medkd.runs.checksums import check_archive
from medkd.runs.file_kind import file_kind

__all__ = ["read_weights"]

_CODE = re.compile(r"GLOBAL ([\w.]+)")  # the class or function that a pickle names, in PyTorch's message


def read_weights(file: Path, role: str = "model") -> Any:
    """Read a file of tensors, on the CPU.

    Args:
        file: of PyTorch, old or new, or of safetensors.
        role: name of the file in error messages.

    Raises:
        ValueError: when the file cannot be read, or holds anything except tensors and plain values (nothing in it is
            executed).
    """
    try:
        kind = file_kind(file)
        if kind.name == "safetensors":
            return _read_safetensors(file)
        if kind.name not in ("", "weights"):
            raise _OtherKind(f"it is {kind.description}: {kind.advice}")
        _check_checksums(file)
        with warnings.catch_warnings(), torch.serialization.safe_globals(_plain_types()):
            warnings.simplefilter("ignore")  # of other pickles, which are refused below
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle raises IndexError, AttributeError and others
        raise ValueError(f"{role} {file}: not a readable file of weights: {_reason(file, error)}") from None


class _OtherKind(ValueError):
    """The file is of another kind, or damaged; the message says what it is."""


def _check_checksums(file: Path) -> None:
    try:
        check_archive(file)
    except ValueError as error:
        raise _OtherKind(str(error)) from None


def _reason(file: Path, error: Exception) -> str:
    """Return why a file is refused, in one line. PyTorch's message has several and advises to execute the file."""
    if isinstance(error, _OtherKind):
        return str(error)
    # a truncated archive raises "Invalid argument" (EINVAL), for an offset before its first byte
    if isinstance(error, OSError) and error.strerror and error.errno != errno.EINVAL:
        return error.strerror
    if (size := file.stat().st_size) == 0:
        return "it is empty"
    if code := _CODE.search(str(error)):
        return (
            f"it holds {code[1]}, expected tensors and plain values alone (nothing in it was executed): where it was made, "
            "save network.state_dict() alone"
        )
    return f"its {size} bytes are damaged, truncated, or no file of PyTorch"


def _read_safetensors(file: Path) -> Any:
    try:
        from safetensors.torch import load_file
    except ModuleNotFoundError:
        raise _OtherKind(
            "it is a file of safetensors: pip install safetensors, or save a state dict by torch.save"
        ) from None
    return load_file(file)


def _plain_types() -> list[Any]:
    """Return the types of plain values that trainers keep beside weights, and no others.

    They are NumPy's scalars and arrays (a best metric), the arguments of a command line, and paths. None of them does more
    than to hold its values.
    """
    scalar, array = np.float64(0).__reduce__()[0], np.zeros(1).__reduce__()[0]
    names = [  # NumPy 1 and 2
        *((scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
        *((array, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
    ]
    dtypes = {type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"}
    # a path of another system cannot be built here
    paths: list[Any] = [(pathlib.PurePosixPath, f"{module}.PosixPath") for module in ("pathlib", "pathlib._local")]
    paths += [(pathlib.PureWindowsPath, f"{module}.WindowsPath") for module in ("pathlib", "pathlib._local")]
    return [*names, np.ndarray, np.dtype, *dtypes, argparse.Namespace, *paths]
