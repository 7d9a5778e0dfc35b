"""Write a network to a file that runs without medkd."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from medkd.deploy.runtime import KEY, ModelSpec, OnnxModel
from medkd.deploy.runtime.measured import MEASURED_KEY, Measured
from medkd.runs.checksums import append_checksum

__all__ = ["OnnxNetwork", "quiet", "save_onnx", "to_onnx", "write_onnx", "write_torchscript"]


def write_torchscript(network: nn.Module, description: ModelSpec, path: Path) -> None:
    """Write a traced network with the description as the extra file ``medkd.json``.

    Args:
        network: images ``(N, C, *spatial)`` to logits; N and the edges stay free.
        description: of the network.
        path: to write.

    Raises:
        OSError: if the file cannot be written.
    """
    with quiet():
        traced = torch.jit.trace(network, _example(description.channels, len(description.size), description.multiple))
        content = io.BytesIO()  # on a full disk Python raises an OSError, torch a long trace
        torch.jit.save(traced, content, _extra_files={f"{KEY}.json": description.to_json()})
    path.write_bytes(_without_sources(content))


def _without_sources(content: io.BytesIO) -> bytes:
    """Return TorchScript without the source line of each operation: these lines name folders of this machine."""
    stripped = io.BytesIO()
    with zipfile.ZipFile(content) as old, zipfile.ZipFile(stripped, "w") as new:
        for entry in old.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                new.writestr(entry, old.read(entry))
    return stripped.getvalue()


def write_onnx(network: nn.Module, description: ModelSpec, path: Path) -> None:
    """Write one ONNX file with the description in its metadata.

    Args:
        network: images ``(N, C, *spatial)`` to logits; N and the edges stay free. The file names them ``image`` and ``logits``.
        description: of the network.
        path: to write.
    """
    save_onnx(to_onnx(network, description.channels, len(description.size), description.multiple), description, path)


def to_onnx(network: nn.Module, channels: int, spatial_dims: int, multiple: int) -> Any:
    """Return the ``onnx.ModelProto`` of a network.

    Args:
        network: see `write_onnx`.
        channels: of the image.
        spatial_dims: 2 or 3.
        multiple: every edge of an input is a multiple of it.
    """
    edges = {}
    for axis in range(spatial_dims):
        edge = torch.export.Dim(f"edge{axis}", min=1)
        edges[axis + 2] = multiple * edge if multiple > 1 else edge
    batch = torch.export.Dim("batch", min=1)
    with quiet():
        program = torch.onnx.export(
            network,
            (_example(channels, spatial_dims, multiple),),
            input_names=["image"],
            output_names=["logits"],
            dynamic_shapes=({0: batch, **edges},),
            verbose=False,
            dynamo=True,
        )
    assert program is not None  # as dynamo is True
    return program.model_proto


def save_onnx(model: Any, description: ModelSpec, path: Path, measured: Measured | None = None) -> None:
    """Write an ONNX model with the description, and what was measured of it, in its metadata.

    The traces of the exporter are removed: they name folders of this machine.

    Args:
        model: an ``onnx.ModelProto``.
        description: of the network.
        path: to write.
        measured: what was measured.
    """
    import onnx

    for node in (*model.graph.node, *(node for function in model.functions for node in function.node)):
        del node.metadata_props[:]
    properties = {} if measured is None else {MEASURED_KEY: measured.to_json()}
    onnx.helper.set_model_props(model, {KEY: description.to_json(), **properties})
    model.DiscardUnknownFields()  # the checksum of the file that int8 was made from
    onnx.save(model, path)
    append_checksum(path)


class OnnxNetwork(nn.Module):
    """A network that runs an ONNX file on the CPU.

    Args:
        path: file that `write_onnx` wrote.
        runtime: see `OnnxModel`.
        precision: likewise.
    """

    def __init__(self, path: Path, runtime: str | None = None, precision: str = "float32") -> None:
        super().__init__()
        self.model = OnnxModel(path, None, "cpu", runtime, precision)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of images ``(N, C, *spatial)``."""
        return torch.from_numpy(np.ascontiguousarray(self.model(image.numpy())))


def _example(channels: int, spatial_dims: int, multiple: int) -> Tensor:
    """Return a small input with different edges: the comparison shows a size that tracing took for a constant."""
    step = max(multiple, 16)
    return torch.zeros(2, channels, *(step * (2 + axis) for axis in range(spatial_dims)))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the output of the exporters, which holds nothing that a user could act on."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
