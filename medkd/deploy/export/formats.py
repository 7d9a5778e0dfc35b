"""A network written to a file that runs without our code."""

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

__all__ = ["OnnxNetwork", "quiet", "save_onnx", "write_onnx", "write_torchscript"]


def write_torchscript(network: nn.Module, description: ModelSpec, path: Path) -> None:
    """Traced, batch and size free; the description lies in it as the extra file ``medkd.json``."""
    with quiet():
        traced = torch.jit.trace(network, _example(description))
        content = io.BytesIO()  # a full disk is an OSError for Python, and a trace of C++ for torch
        torch.jit.save(traced, content, _extra_files={f"{KEY}.json": description.to_json()})
    path.write_bytes(_without_sources(content))


def _without_sources(content: io.BytesIO) -> bytes:
    """TorchScript without the lines of Python that each operation came from: they name folders of this machine."""
    kept = io.BytesIO()
    with zipfile.ZipFile(content) as old, zipfile.ZipFile(kept, "w") as new:
        for entry in old.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                new.writestr(entry, old.read(entry))
    return kept.getvalue()


def write_onnx(network: nn.Module, description: ModelSpec, path: Path) -> None:
    """One file, input ``image`` and output ``logits``, batch and size free; the description lies in its metadata."""
    edges = {}
    for axis in range(len(description.size)):
        edge = torch.export.Dim(f"edge{axis}", min=1)
        edges[axis + 2] = description.multiple * edge if description.multiple > 1 else edge
    batch = torch.export.Dim("batch", min=1)
    with quiet():
        program = torch.onnx.export(
            network,
            (_example(description),),
            input_names=["image"],
            output_names=["logits"],
            dynamic_shapes=({0: batch, **edges},),
            verbose=False,
            dynamo=True,
        )
    save_onnx(program.model_proto, description, path)


def save_onnx(model: Any, description: ModelSpec, path: Path) -> None:
    """Writes an ONNX model with the description in its metadata, and without the traces of the exporter: they name folders."""
    import onnx

    for node in (*model.graph.node, *(node for function in model.functions for node in function.node)):
        del node.metadata_props[:]
    onnx.helper.set_model_props(model, {KEY: description.to_json()})
    onnx.save(model, path)


class OnnxNetwork(nn.Module):
    """An ONNX file in the place of a network."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.model = OnnxModel(path, device="cpu")

    def forward(self, image: Tensor) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(self.model(image.numpy())))


def _example(description: ModelSpec) -> Tensor:
    """Small, and no edge like another: a size that tracing took for a constant would show in the comparison."""
    step = max(description.multiple, 16)
    edges = [step * (2 + axis) for axis in range(len(description.size))]
    return torch.zeros(2, description.channels, *edges)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Exporters tell much of themselves, and nothing that a user could act on."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
