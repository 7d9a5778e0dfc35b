"""Pictures of what the networks do, and of what corrects a teacher."""

from ._drawing import scaled as scaled_picture
from .boundary import boundary_figure, draw_boundary_transform, histogram_overlap
from .comparison import comparison_figure, draw_comparison, pick_quantiles
from .false_pixels import draw_false_pixels, false_pixels_figure
from .grad_cam import draw_grad_cam, first_and_last, grad_cam, grad_cam_figure, mid_target_slice
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
    "draw_grad_cam",
    "draw_progression",
    "draw_runs",
    "draw_team",
    "false_pixels_figure",
    "first_and_last",
    "grad_cam",
    "grad_cam_figure",
    "histogram_overlap",
    "importance_figure",
    "mid_target_slice",
    "pick_cases",
    "pick_quantiles",
    "planes_figure",
    "progression_figure",
    "scaled_picture",
    "slices_figure",
    "view_volume",
]
