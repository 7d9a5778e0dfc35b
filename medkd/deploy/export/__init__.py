"""Export a trained student as TorchScript, ONNX or int8 ONNX, and compare the file with the original."""

from .exporting import FORMATS, check_format, export
from .trained_student import apply_overrides

__all__ = ["FORMATS", "check_format", "apply_overrides", "export"]
