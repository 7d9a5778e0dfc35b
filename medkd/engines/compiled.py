"""The student compiled by torch.compile."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["compile_student"]


def compile_student(student: nn.Module, device: torch.device) -> None:
    """Let torch.compile run the student from its next call on.

    The module is compiled in place: the names of its weights stay, and so do those of its sub-modules. Whoever calls the
    inner network, as validation, exports and checkpoints do, calls it uncompiled.

    Args:
        student: the tapped student.
        device: of the student.

    Raises:
        ValueError: If torch.compile does not work on this machine, without a C++ compiler for example.
    """
    _check_compiler(device)
    student.compile()


def _check_compiler(device: torch.device) -> None:
    """Compile a function of one line, so that a missing compiler is told before the data are read."""
    try:
        torch.compile(_add_one)(torch.zeros(2, device=device))
    except Exception as error:  # of Triton, of the C++ compiler, of a version of Python
        needed = "Triton" if device.type == "cuda" else "a C++ compiler"
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ValueError(
            f"--compile: torch.compile does not work here on {device.type} ({reason}), expected {needed}: "
            "write --compile False"
        ) from error


def _add_one(values: Tensor) -> Tensor:
    return values + 1
