"""TorchScript files as external models."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch

from medkd.io.normalise import channel_flags, channel_windows
from medkd.networks.checkpoints import weights_file
from medkd.runs.checksums import check_archive

from .external import ExternalModel
from .geometry import Geometry
from .scalings import range_scaling

__all__ = ["read_torchscript"]

_DESCRIPTION = "medkd.json"  # the extra file of an export


def read_torchscript(path: Path) -> ExternalModel:
    """Load a TorchScript file, or that of a run's folder.

    A file of ``medkd export`` states its intensities, axes and spacing. Others state nothing about their images.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file cannot be read.
    """
    file = weights_file(path, "teacher")
    extra = {_DESCRIPTION: ""}
    try:
        check_archive(file)
        network = torch.jit.load(str(file), map_location="cpu", _extra_files=extra)
    except (RuntimeError, ValueError, EOFError) as error:
        raise ValueError(f"--teacher {file}: not a readable TorchScript file: {str(error).splitlines()[0]}") from error
    # the repr of a script does not show what it computes
    code = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    model = ExternalModel(network, f"TorchScript file {file}", code=code)
    return _describe(model, extra[_DESCRIPTION]) if extra[_DESCRIPTION] else model


def _describe(model: ExternalModel, text: str | bytes) -> ExternalModel:
    """Return the model with what the description of ``medkd export`` states; that of other text is not known."""
    try:
        content = json.loads(text)
        if content["kind"] == "pictures":
            return model
        windows = channel_windows(content["intensities"])
        scalings = [range_scaling(float(low), float(high), -1, 1, clip=bool(content["clip"])) for low, high in windows]
        geometry = Geometry(content["orientation"], True, content["spacing"], content.get("size"))
        per_case = channel_flags(content["per_case"] or False)
        names = content["trained_with"].get("channels") or () if len(windows) > 1 else ()
        return model._replace(scalings=scalings, geometry=geometry, per_case=per_case, channels=tuple(names))
    except (ValueError, TypeError, KeyError, AttributeError):
        return model
