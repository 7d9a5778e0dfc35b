"""A trained student for other programs: TorchScript, ONNX, ONNX in whole numbers, each measured against the original."""

from .exporting import FORMATS, check_format, export
from .trained_student import apply_overrides

__all__ = ["FORMATS", "check_format", "apply_overrides", "export"]
