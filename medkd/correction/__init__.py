"""Soft-label correction of PLC-KD: pieces that make a teacher's soft labels right, on training images."""

from .boundary import boundary_and_inner, boundary_transform
from .chain import SoftLabels, correct_soft_labels
from .false_pixels import FalsePixelQueue, false_pixel_images
from .memory import RightMemory
from .similarity import correct_by_similarity
from .team import Correction, TeacherTeam, TeamOutputs, log_probabilities
from .wrong import is_right, swap_wrong

__all__ = [
    "Correction",
    "FalsePixelQueue",
    "RightMemory",
    "SoftLabels",
    "TeacherTeam",
    "TeamOutputs",
    "boundary_and_inner",
    "boundary_transform",
    "correct_by_similarity",
    "correct_soft_labels",
    "false_pixel_images",
    "is_right",
    "log_probabilities",
    "swap_wrong",
]
