"""The command line of medkd. Importing this package is light; `check_command` is the first step of every bundle."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .first_step import check_command

__all__ = ["check_command"]


def __getattr__(name: str) -> Any:
    # inference with an exported network imports this package where PyYAML may not be installed
    if name == "check_command":
        from .first_step import check_command

        return check_command
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
