"""Pictures of what the networks do."""

from .overlays import draw_runs, pick_cases

__all__ = ["draw_runs", "pick_cases"]
