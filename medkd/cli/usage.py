"""The error of a command that cannot be read."""

from __future__ import annotations

__all__ = ["UsageError"]


class UsageError(ValueError):
    """A command that cannot be read: the process ends with code 2."""
