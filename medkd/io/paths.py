"""The type of a path argument."""

import os

__all__ = ["PathLike"]

PathLike = str | os.PathLike[str]
