"""Who learns from whom: the trainer, and the exact restart."""

from .assistant_scores import score_assistants
from .correction_report import CorrectionReport
from .inference import infer_each
from .resume import ResumableRun
from .slice_batch_inferer import SliceBatchInferer
from .stored import StoredSoftLabels, StoredTeacher
from .teacher_team import BoundaryBatches, FalsePixelBatches, begun_from, norm_layers, teacher_team
from .trainer import DistillationTrainer, frozen
from .volume_inferer import VolumeInferer

__all__ = [
    "BoundaryBatches",
    "CorrectionReport",
    "DistillationTrainer",
    "FalsePixelBatches",
    "ResumableRun",
    "SliceBatchInferer",
    "StoredSoftLabels",
    "StoredTeacher",
    "VolumeInferer",
    "begun_from",
    "frozen",
    "infer_each",
    "norm_layers",
    "score_assistants",
    "teacher_team",
]
