"""The trainer of a student with a teacher."""

from .trainer import DistillationTrainer

__all__ = ["DistillationTrainer"]
