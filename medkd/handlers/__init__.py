"""What happens around the engines: best model, metrics by case, console, TensorBoard and MLflow."""

from .best_model import BestModel
from .case_table import CaseTable
from .mlflow_record import MLflowRecord
from .progress import CaseProgress, ConsoleProgress
from .tensorboard import TensorBoardRecord

__all__ = [
    "BestModel",
    "CaseProgress",
    "CaseTable",
    "ConsoleProgress",
    "MLflowRecord",
    "TensorBoardRecord",
]
