"""Inference with an exported network: numpy, nibabel, SimpleITK, pillow, and ONNX Runtime or OpenVINO; no torch, no MONAI."""

from .choice import open_model
from .command_line import infer_command, names_onnx
from .inference import infer
from .onnx_model import OnnxModel
from .spec import KEY, ModelSpec

__all__ = ["KEY", "ModelSpec", "OnnxModel", "infer", "infer_command", "names_onnx", "open_model"]
