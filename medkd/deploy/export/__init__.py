"""A trained student for other programs: TorchScript, ONNX, ONNX in whole numbers, each measured against the original."""

from .command import FORMATS, check_format, export
from .trained import apply_overrides

__all__ = ["FORMATS", "check_format", "apply_overrides", "export"]
