"""Metrics of a segmentation, by case and class."""

from .case import case_metrics, summarise
from .protocols import PROTOCOLS, logits_to_labels, slices_with_target
from .relative_volume_difference import RelativeVolumeDifferenceMetric, compute_relative_volume_difference
from .speed import milliseconds_per_slice

__all__ = [
    "PROTOCOLS",
    "RelativeVolumeDifferenceMetric",
    "case_metrics",
    "compute_relative_volume_difference",
    "logits_to_labels",
    "milliseconds_per_slice",
    "slices_with_target",
    "summarise",
]
