"""Pictures of what the networks do, and of what corrects a teacher."""

from .boundary import boundary_figure, draw_boundary_transform, histogram_overlap
from .comparison import comparison_figure, draw_comparison, pick_quantiles
from .false_pixels import draw_false_pixels, false_pixels_figure
from .overlays import draw_runs, pick_cases
from .progression import draw_progression, progression_figure
from .taps import channels_figure, importance_figure
from .team import draw_team
from .volumes import planes_figure, slices_figure, view_volume

__all__ = [
    "boundary_figure",
    "channels_figure",
    "comparison_figure",
    "draw_boundary_transform",
    "draw_comparison",
    "draw_false_pixels",
    "draw_progression",
    "draw_runs",
    "draw_team",
    "false_pixels_figure",
    "histogram_overlap",
    "importance_figure",
    "pick_cases",
    "pick_quantiles",
    "planes_figure",
    "progression_figure",
    "slices_figure",
    "view_volume",
]
