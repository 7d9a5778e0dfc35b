"""Pictures of what the networks do, and of what corrects a teacher."""

from ._drawing import scaled as scaled_picture
from .boundary import boundary_figure, histogram_overlap, plot_boundary_transform
from .comparison import comparison_figure, pick_quantiles, plot_comparison
from .false_pixels import false_pixels_figure, plot_false_pixels
from .grad_cam import draw_grad_cam, first_and_last, grad_cam, grad_cam_figure, mid_target_slice
from .overlays import pick_cases, plot_runs
from .progression import plot_progression, progression_figure
from .taps import channels_figure, importance_figure
from .team import plot_team
from .volumes import planes_figure, slices_figure, view_volume

__all__ = [
    "boundary_figure",
    "channels_figure",
    "comparison_figure",
    "plot_boundary_transform",
    "plot_comparison",
    "plot_false_pixels",
    "draw_grad_cam",
    "plot_progression",
    "plot_runs",
    "plot_team",
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
