"""The metrics that are computed on request: ``--metrics nsd,ece,lesions``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["EXTRA_METRICS", "metric_names"]

# name of the option -> columns of metrics.csv with a mean in summary.json
EXTRA_METRICS: Mapping[str, tuple[str, ...]] = {
    "nsd": ("nsd",),
    "ece": ("ece",),
    "lesions": (
        *("lesion_sensitivity", "lesion_precision"),
        *("lesions_truth", "lesions_found", "lesions_predicted", "lesions_false"),
    ),
}


def metric_names(value: str | Sequence[Any] | None) -> tuple[str, ...]:
    """Return the names in the value of the option ``metrics``.

    Args:
        value: names of `EXTRA_METRICS`, as a list or with commas between them; None or an empty one for none.

    Raises:
        ValueError: for an unknown name.

    Example:
        >>> metric_names("nsd,ece"), metric_names([])
        (('nsd', 'ece'), ())
    """
    words = value.split(",") if isinstance(value, str) else [str(word) for word in value or ()]
    names = tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
    for name in names:
        if name not in EXTRA_METRICS:
            raise ValueError(f"--metrics: found {name!r}, expected some of {', '.join(EXTRA_METRICS)}")
    return names
