"""Inference with an exported network: numpy, nibabel, SimpleITK, pillow and ONNX Runtime; neither torch nor MONAI."""

from medkd.runtime.command import infer_command, names_onnx
from medkd.runtime.description import KEY, Description
from medkd.runtime.infer import infer
from medkd.runtime.model import OnnxModel

__all__ = ["KEY", "Description", "OnnxModel", "infer", "infer_command", "names_onnx"]
