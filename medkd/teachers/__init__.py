"""Teachers: the protocol, single networks, cached soft labels, ensembles, external networks."""

from .adapter import TeacherAdapter
from .cached import CachedSoftLabels, CachedTeacher
from .cached_volumes import CachedVolumeLabels
from .ensemble import Ensemble
from .grids import teacher_grids
from .intensity import Intensity
from .load import load_teacher, teacher_kind
from .nnunet_network import NNUNet
from .protocol import NetworkTeacher, Teacher
from .single import SingleTeacher, as_teacher, frozen
from .task_teacher import load_task_teacher
from .volume_inferer import TeacherInferer

__all__ = [
    "CachedSoftLabels",
    "CachedTeacher",
    "CachedVolumeLabels",
    "Ensemble",
    "Intensity",
    "NNUNet",
    "NetworkTeacher",
    "SingleTeacher",
    "Teacher",
    "TeacherAdapter",
    "TeacherInferer",
    "as_teacher",
    "frozen",
    "load_task_teacher",
    "load_teacher",
    "teacher_grids",
    "teacher_kind",
]
