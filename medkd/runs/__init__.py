"""The files of a run: one process at a time writes them, completely or not at all, and one reader reads them.

Importing this package imports neither torch nor pandas nor MONAI, nor PyYAML. Names below
``TYPE_CHECKING`` import them when they are used.
"""

from typing import TYPE_CHECKING

from medkd.startup import lazy_names

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

__getattr__ = lazy_names(__name__, __file__)
