"""Which ids of a bundle's configuration a command changed beyond the options of the table, for the record of its run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from medkd.configs.bundles import BUNDLES
from medkd.configs.merge import merge_files
from medkd.configs.table import option_of

from .checks import MONAI_OPTIONS

__all__ = ["changed_ids"]


def changed_ids(files: Sequence[str], options: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """Return the ids that overlays of the user's own and free options changed: a record is rebuilt only without such changes.

    Args:
        files: configuration files of the run.
        options: ids and their values.
        config: what the files merge to.

    Returns:
        The innermost ids; none for a configuration that does not begin with a bundle of medkd.
    """
    own = [file for file in files if Path(file).resolve().is_relative_to(BUNDLES)]
    if not own:
        return []
    changed = _differing(merge_files(own), config) if len(own) < len(files) else []
    free = [name for name in options if option_of(name) is None and not name.startswith("method_args::")]
    return [*changed, *(name for name in free if name not in MONAI_OPTIONS)]


def _differing(before: Any, after: Any, prefix: str = "") -> Iterator[str]:
    for name in {**before, **after}:
        a, b = before.get(name), after.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from _differing(a, b, f"{prefix}{name}::")
        elif a != b:
            yield f"{prefix}{name}"
