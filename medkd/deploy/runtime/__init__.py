"""Inference with an exported network: few packages, and neither torch nor MONAI (docs/how-to/export.md)."""

from .choice import open_model
from .command_line import infer_command, names_onnx
from .inference import infer
from .onnx_model import OnnxModel
from .spec import KEY, ModelSpec

__all__ = ["KEY", "ModelSpec", "OnnxModel", "infer", "infer_command", "names_onnx", "open_model"]
