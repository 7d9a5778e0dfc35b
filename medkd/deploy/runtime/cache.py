"""The folder in which a user's programs keep what can be computed again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path | None:
    """Return the folder of this package's caches, which need not be there; None for a user without a home folder.

    It is ``medkd`` in XDG_CACHE_HOME, else in ``~/.cache``; in ``~/Library/Caches`` on macOS, in LOCALAPPDATA on Windows.
    """
    variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    folder = os.environ.get(variable, "")
    if os.path.isabs(folder):  # a relative one is to be ignored: XDG base directory specification
        return Path(folder, "medkd")
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "medkd"
