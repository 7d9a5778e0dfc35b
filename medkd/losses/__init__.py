"""Distillation losses. ``__all__`` is the only list of them: presets name classes by their import path."""

from .at import ATLoss
from .combined import CombinedLoss
from .cwd import CWDLoss
from .deep_supervision import DeepSupervisionLoss
from .dkd import DKDLoss
from .fitnet import FitNetLoss
from .focal_dice import FocalDiceLoss
from .hlfd import HLFDLoss
from .ifvd import IFVDLoss
from .kd import KDLoss
from .pa import PALoss
from .rad import RADLoss
from .spkd import SPKDLoss

__all__ = [
    "ATLoss",
    "CombinedLoss",
    "CWDLoss",
    "DeepSupervisionLoss",
    "DKDLoss",
    "FitNetLoss",
    "FocalDiceLoss",
    "HLFDLoss",
    "IFVDLoss",
    "KDLoss",
    "PALoss",
    "RADLoss",
    "SPKDLoss",
]
