"""Teachers: external networks, ensembles, cached soft labels."""

from .adapter import Ensemble, TeacherAdapter
from .cached import CachedSoftLabels, CachedTeacher
from .intensity import Intensity
from .load import load_teacher, teacher_kind
from .nnunet import NNUNet
from .task_teacher import load_task_teacher

__all__ = [
    "Ensemble",
    "TeacherAdapter",
    "Intensity",
    "NNUNet",
    "CachedSoftLabels",
    "CachedTeacher",
    "load_task_teacher",
    "load_teacher",
    "teacher_kind",
]
