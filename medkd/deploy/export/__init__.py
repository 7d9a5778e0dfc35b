"""Export a trained student as TorchScript, ONNX or int8 ONNX, and compare the file with the original."""

from .exporting import FORMATS, check_format, export
from .network_runtime import network_in_runtime
from .trained_student import apply_overrides

__all__ = ["FORMATS", "apply_overrides", "check_format", "export", "network_in_runtime"]
