"""Distillation losses. ``__all__`` is the only list of them: presets name classes by their import path."""

from .combined import CombinedLoss
from .deep_supervision import DeepSupervisionLoss
from .focal_dice import FocalDiceLoss
from .hlfd import HLFDLoss
from .kd import KDLoss

__all__ = ["CombinedLoss", "DeepSupervisionLoss", "FocalDiceLoss", "HLFDLoss", "KDLoss"]
