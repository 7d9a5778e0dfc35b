"""The files of a run: written by one process at a time, whole or not at all, and read back by one reader.

Importing this package imports neither torch nor pandas; the names in `_LAZY` do so when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import one_line_errors
from .files import save_atomically, write_atomically
from .record import check_assistant, check_model, check_student, read_record, recorded, run_record

if TYPE_CHECKING:
    from .config import load_run_config
    from .finished import FinishedRun
    from .handler import RunRecord
    from .results import collapsed_runs, has_ended, last_line, read_cases
    from .resume import ResumableRun

__all__ = [
    "FinishedRun",
    "ResumableRun",
    "RunRecord",
    "check_assistant",
    "check_model",
    "check_student",
    "collapsed_runs",
    "has_ended",
    "last_line",
    "load_run_config",
    "one_line_errors",
    "read_cases",
    "read_record",
    "recorded",
    "run_record",
    "save_atomically",
    "write_atomically",
]

_LAZY = {
    "FinishedRun": "finished",
    "ResumableRun": "resume",
    "RunRecord": "handler",
    "collapsed_runs": "results",
    "has_ended": "results",
    "last_line": "results",
    "load_run_config": "config",
    "read_cases": "results",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
