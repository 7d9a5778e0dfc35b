"""Figures of images, networks and predictions.

A ``*_figure`` function returns a matplotlib Figure. A ``plot_*`` function writes image files and returns their paths.
"""

from ._panels import scale_to_unit
from .boundary_figures import boundary_figure, histogram_overlap, plot_boundary_transform
from .comparison_figures import comparison_figure, pick_quantiles, plot_comparison
from .false_pixel_figures import false_pixels_figure, plot_false_pixels
from .grad_cam import first_and_last, grad_cam, mid_target_slice
from .run_figures import pick_cases, plot_runs
from .soft_label_figures import plot_progression, progression_figure
from .tap_figures import channels_figure, importance_figure
from .team_figures import plot_team
from .volume_figures import planes_figure, slices_figure, view_volume

__all__ = [
    "boundary_figure",
    "channels_figure",
    "comparison_figure",
    "false_pixels_figure",
    "first_and_last",
    "grad_cam",
    "histogram_overlap",
    "importance_figure",
    "mid_target_slice",
    "pick_cases",
    "pick_quantiles",
    "planes_figure",
    "plot_boundary_transform",
    "plot_comparison",
    "plot_false_pixels",
    "plot_progression",
    "plot_runs",
    "plot_team",
    "progression_figure",
    "scale_to_unit",
    "slices_figure",
    "view_volume",
]
