"""Files and folders that systems leave beside those of a user."""

from __future__ import annotations

from pathlib import PurePath

__all__ = ["is_hidden"]

# Archives made by macOS, network drives of Synology and QNAP, and Windows leave these.
_LEFTOVERS = {
    *("__macosx", "@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "$recycle.bin"),
    *("system volume information", "lost+found", "thumbs.db", "desktop.ini"),
}


def is_hidden(path: PurePath) -> bool:
    """Return whether a file or folder is hidden, or was left by a system.

    Example:
        >>> [is_hidden(PurePath(name)) for name in ("data/._a.png", "data/__MACOSX", "data/a.png")]
        [True, True, False]
    """
    return path.name.startswith(".") or path.name.lower() in _LEFTOVERS
