"""Methods: one preset a method, and the loss that it builds.

Importing this package does not import torch; the first use of `build` does.
"""

from typing import TYPE_CHECKING, Any

from .presets import check_embedding, check_reads_logits, load_preset, names, team_arguments

if TYPE_CHECKING:
    from .loss import build

__all__ = ["build", "check_embedding", "check_reads_logits", "load_preset", "names", "team_arguments"]


def __getattr__(name: str) -> Any:
    if name == "build":
        from .loss import build

        return build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
