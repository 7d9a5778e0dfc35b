"""Distillation losses. ``__all__`` is the only list of them; presets name the classes by their import path."""

from typing import TYPE_CHECKING

from medkd.startup import lazy_names

if TYPE_CHECKING:
    from .at import ATLoss
    from .cirkd import CIRKDLoss
    from .combined import CombinedLoss
    from .cwd import CWDLoss
    from .dcd import DCDLoss, DCDStagesLoss
    from .deep_supervision import DeepSupervisionLoss
    from .dice_kd import DiceKDLoss
    from .dist import DISTLoss
    from .dkd import DKDLoss
    from .fitnet import FitNetLoss
    from .focal_dice import FocalDiceLoss
    from .head_kd import HeadKDLoss
    from .hifd import HIFDLoss
    from .hlfd import HLFDLoss
    from .holistic import HolisticLoss
    from .ifvd import IFVDLoss
    from .imf import IMFLoss
    from .kd import KDLoss
    from .pa import PALoss
    from .pseudo import PseudoLabelLoss
    from .rad import RADLoss
    from .self_optimizing import SelfOptimizing
    from .spkd import SPKDLoss

__all__ = [
    "ATLoss",
    "CIRKDLoss",
    "CombinedLoss",
    "CWDLoss",
    "DCDLoss",
    "DCDStagesLoss",
    "DISTLoss",
    "DeepSupervisionLoss",
    "DiceKDLoss",
    "DKDLoss",
    "FitNetLoss",
    "FocalDiceLoss",
    "HIFDLoss",
    "HLFDLoss",
    "HeadKDLoss",
    "HolisticLoss",
    "IFVDLoss",
    "IMFLoss",
    "KDLoss",
    "PALoss",
    "PseudoLabelLoss",
    "RADLoss",
    "SPKDLoss",
    "SelfOptimizing",
]

__getattr__ = lazy_names(__name__, __file__)
