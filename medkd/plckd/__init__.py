"""PLC-KD's teacher team: assistants, the order of their training, scores and the correction report."""

from .assistants import BoundaryBatches, FalsePixelBatches, init_assistant, norm_layers, teacher_team
from .correction_report import CorrectionReport
from .scores import score_assistants

__all__ = [
    "BoundaryBatches",
    "CorrectionReport",
    "FalsePixelBatches",
    "init_assistant",
    "norm_layers",
    "score_assistants",
    "teacher_team",
]
