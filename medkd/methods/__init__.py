"""Methods: one preset a method, and the loss that a preset builds.

Importing this package imports neither torch nor MONAI; the first use of `build` does.
"""

from typing import TYPE_CHECKING

from medkd.startup import lazy_names

from .coarse_target import note_coarse_target
from .images import check_images, check_logits, note_images
from .presets import check_arguments, has_terms, load_preset, names, resolve_preset
from .requirements import check_embedding, check_reads_logits, team_arguments

if TYPE_CHECKING:
    from .loss import build

__all__ = [
    "build",
    "check_arguments",
    "check_embedding",
    "check_images",
    "check_logits",
    "check_reads_logits",
    "has_terms",
    "load_preset",
    "names",
    "note_coarse_target",
    "note_images",
    "resolve_preset",
    "team_arguments",
]

__getattr__ = lazy_names(__name__, __file__)
