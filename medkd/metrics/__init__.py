"""Metrics of a segmentation, by case and class."""

from .calibration import CalibrationBinsd, calibration_bins, expected_calibration_error
from .case import case_metrics, summarise
from .extra import EXTRA_METRICS, metric_names
from .lesions import lesion_metrics
from .protocols import PROTOCOLS, logits_to_labels, slices_with_target
from .relative_volume_difference import RelativeVolumeDifferenceMetric, compute_relative_volume_difference
from .speed import milliseconds_per_slice
from .surface_dice import surface_dice

__all__ = [
    "EXTRA_METRICS",
    "PROTOCOLS",
    "CalibrationBinsd",
    "RelativeVolumeDifferenceMetric",
    "calibration_bins",
    "case_metrics",
    "compute_relative_volume_difference",
    "expected_calibration_error",
    "lesion_metrics",
    "logits_to_labels",
    "metric_names",
    "milliseconds_per_slice",
    "slices_with_target",
    "summarise",
    "surface_dice",
]
