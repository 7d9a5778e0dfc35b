"""Who learns from whom: the trainer, and the exact restart."""

from .trainer import DistillationTrainer, frozen

__all__ = [
    "DistillationTrainer",
    "frozen",
]
