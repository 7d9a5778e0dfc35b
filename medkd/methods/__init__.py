"""Methods: one preset a method, and the loss that a preset builds.

Importing this package imports neither torch nor MONAI; the first use of `build` does.
"""

from typing import TYPE_CHECKING, Any

from .coarse_target import note_coarse_target
from .images import check_images, note_images
from .presets import check_arguments, has_terms, load_preset, names, resolve_preset
from .requirements import check_embedding, check_reads_logits, team_arguments

if TYPE_CHECKING:
    from .loss import build

__all__ = [
    "build",
    "check_arguments",
    "check_embedding",
    "check_images",
    "check_reads_logits",
    "has_terms",
    "load_preset",
    "names",
    "note_coarse_target",
    "note_images",
    "resolve_preset",
    "team_arguments",
]


def __getattr__(name: str) -> Any:
    """Import `build` when it is first used."""
    if name == "build":
        from .loss import build

        return build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
