"""Who learns from whom: the trainer, and the exact restart."""

from .inference import infer_each
from .resume import ResumableRun
from .trainer import DistillationTrainer, frozen

__all__ = ["DistillationTrainer", "ResumableRun", "frozen", "infer_each"]
