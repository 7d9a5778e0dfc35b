"""The bundles on this machine, as `medkd.experiments` needs them."""

from __future__ import annotations

from medkd.experiments import Bundles

from .bundles import BUNDLES, tasks
from .method_check import check_run_options

__all__ = ["installed_bundles"]


def installed_bundles() -> Bundles:
    """Return the bundles with the check of a run's options."""
    return Bundles(BUNDLES, tasks(), check_run_options)
