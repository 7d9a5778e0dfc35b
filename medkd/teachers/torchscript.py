"""TorchScript files as external models."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from medkd.networks.checkpoints import weights_file
from medkd.runs.checksums import check_archive

from .external import ExternalModel

__all__ = ["read_torchscript"]


def read_torchscript(path: Path) -> ExternalModel:
    """Load a TorchScript file, or that of a run's folder. It states nothing about its images.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file cannot be read.
    """
    file = weights_file(path, "teacher")
    try:
        check_archive(file)
        network = torch.jit.load(str(file), map_location="cpu")
    except (RuntimeError, ValueError, EOFError) as error:
        raise ValueError(f"teacher {file}: not a readable TorchScript file: {str(error).splitlines()[0]}") from error
    # the repr of a script does not show what it computes
    code = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    return ExternalModel(network, f"TorchScript file {file}", code=code)
