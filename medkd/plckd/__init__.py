"""PLC-KD's team in training: its members, their batches, the team itself, scores and the correction report.

The mathematics is in `medkd.correction`, which needs no files and no trainer.
"""

from .assistants import init_assistant, norm_layers
from .batches import BoundaryBatches, FalsePixelBatches
from .correction_report import CorrectionReport
from .scores import score_assistants
from .team import teacher_team

__all__ = [
    "BoundaryBatches",
    "CorrectionReport",
    "FalsePixelBatches",
    "init_assistant",
    "norm_layers",
    "score_assistants",
    "teacher_team",
]
