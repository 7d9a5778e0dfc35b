"""Soft-label correction of PLC-KD: a teacher's soft labels are made correct on training images."""

from .boundary import boundary_and_inner, boundary_transform
from .chain import SoftLabels, correct_soft_labels
from .correctness import is_correct, log_probabilities, swap_incorrect
from .false_pixels import FalsePixelQueue, false_pixel_images
from .memory import CorrectMemory
from .similarity import correct_by_similarity
from .team import Correction, TeacherTeam, TeamOutputs

__all__ = [
    "Correction",
    "CorrectMemory",
    "FalsePixelQueue",
    "SoftLabels",
    "TeacherTeam",
    "TeamOutputs",
    "boundary_and_inner",
    "boundary_transform",
    "correct_by_similarity",
    "correct_soft_labels",
    "false_pixel_images",
    "is_correct",
    "log_probabilities",
    "swap_incorrect",
]
