"""Where the bundles of medkd are, and their names."""

from __future__ import annotations

from pathlib import Path

__all__ = ["BUNDLES", "tasks"]

_PACKAGE = Path(__file__).parents[1]
# in a wheel the bundles lie inside the package, in a clone beside it
BUNDLES = next(path for path in (_PACKAGE / "bundles", _PACKAGE.parent / "bundles") if path.is_dir())


def tasks() -> list[str]:
    """Return the names of the bundles, sorted."""
    return sorted(path.parent.parent.name for path in BUNDLES.glob("*/configs/train.yaml"))
