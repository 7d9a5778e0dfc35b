"""The files of a run: one process at a time writes them, completely or not at all, and one reader reads them.

Importing this package imports neither torch nor pandas nor MONAI, nor PyYAML. The names in `_LAZY` import them when they are
used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import did_you_mean, one_line_errors
from .files import save_atomically, write_atomically

if TYPE_CHECKING:
    from .finished import FinishedRun
    from .folder import RunFolder
    from .handler import RunRecord
    from .predicted import PredictedCases
    from .rebuild import load_parser
    from .record import check_assistant, check_model, check_student, recorded
    from .results import collapsed_runs, read_cases, trained_run
    from .resume import ResumableRun

__all__ = [
    "FinishedRun",
    "PredictedCases",
    "ResumableRun",
    "RunFolder",
    "RunRecord",
    "check_assistant",
    "check_model",
    "check_student",
    "collapsed_runs",
    "did_you_mean",
    "load_parser",
    "one_line_errors",
    "read_cases",
    "recorded",
    "save_atomically",
    "trained_run",
    "write_atomically",
]

_LAZY = {
    "FinishedRun": "finished",
    "PredictedCases": "predicted",
    "ResumableRun": "resume",
    "RunFolder": "folder",
    "RunRecord": "handler",
    "check_assistant": "record",
    "check_model": "record",
    "check_student": "record",
    "collapsed_runs": "results",
    "load_parser": "rebuild",
    "read_cases": "results",
    "trained_run": "results",
    "recorded": "record",
}


def __getattr__(name: str) -> Any:
    """Import a name of `_LAZY` when it is used."""
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
