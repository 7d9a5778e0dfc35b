"""A trained student for other programs: TorchScript, ONNX, ONNX in whole numbers, each measured against the original."""

from medkd.export.command import FORMATS, check_format, export
from medkd.export.trained import configured

__all__ = ["FORMATS", "check_format", "configured", "export"]
