"""The files of a run, each with one reader and one writer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .files import save_atomically, write_atomically
from .json_files import is_calibration, is_environment, is_summary, read_object
from .metric_table import agreement_summary, read_table, text_table
from .paths import RunPaths
from .plain_record import plain_options, read_content

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RunFolder"]

T = TypeVar("T")


class RunFolder(RunPaths):
    """The output folder of a run: its files as named paths, their readers and writers.

    A run can be killed at any moment, and other tools leave files of the same names. All readers follow one policy:

    - ``read_...`` returns None for a file that is missing, that cannot be parsed, or that is not what a run writes. A damaged
      record is the one exception: a model beside it must not be used as if it had none.
    - ``require_...`` raises FileNotFoundError for a missing file and ValueError for a file that is not a run's. The
      message names the file.
    - Errors of the file system, such as a missing permission, are raised by both.

    Writers write a file completely or not at all.

    Args:
        path: the folder; it does not have to exist.
        prefix: of the names of the record, such as "evaluate_": an evaluation leaves its own record beside the training's.

    Example:
        >>> folder = RunFolder("runs/hlfd")
        >>> folder.metrics.as_posix()
        'runs/hlfd/metrics.csv'
        >>> folder.read_config() is None
        True
    """

    def read_config(self) -> dict[str, Any] | None:
        """Return the options of the run as plain data, see `plain_options`.

        Raises:
            ValueError: for a damaged record, or one with an option that is no plain data, or of another kind: a stranger may
                have written it.
        """
        content = self.read_content()
        return None if content is None else plain_options(content, self.config)

    def require_config(self) -> dict[str, Any]:
        """Return the options of the run as plain data, see `plain_options`.

        Raises:
            FileNotFoundError: if there is no record.
            ValueError: for a file that is not a record, or one with an option that is no plain data.
        """
        return plain_options(self.require_content(), self.config)

    def read_content(self) -> dict[str, Any] | None:
        """Return the whole record, as text: it holds the run's configuration, which is code, see `read_content`.

        Raises:
            ValueError: for a damaged record.
        """
        return read_content(self.config)

    def require_content(self) -> dict[str, Any]:
        """Return the whole record, as text: it holds the run's configuration, which is code, see `read_content`.

        Raises:
            FileNotFoundError: if there is none.
            ValueError: for a file that is not a record.
        """
        return _require(self.read_content(), self.config, "the record of a run")

    def read_environment(self) -> dict[str, Any] | None:
        """Return command, seed, versions and machine of the run."""
        return read_object(self.environment, is_environment)

    def read_summary(self) -> dict[str, Any] | None:
        """Return mean, standard deviation and number of cases: class -> metric -> ``{"mean", "std", "n"}``."""
        return read_object(self.summary, is_summary)

    def require_summary(self) -> dict[str, Any]:
        """Return mean, standard deviation and number of cases: class -> metric -> ``{"mean", "std", "n"}``.

        Raises:
            FileNotFoundError: if there is none.
            ValueError: for a file that is not a summary.
        """
        return _require(self.read_summary(), self.summary, "the summary of a run, written by `medkd evaluate`")

    def read_correction(self) -> dict[str, Any] | None:
        """Return what PLC-KD's soft-label correction did."""
        return read_object(self.correction)

    def read_calibration(self) -> dict[str, Any] | None:
        """Return the bins of a reliability diagram: class -> "voxels", "probability" and "frequency" of each bin."""
        return read_object(self.calibration, is_calibration)

    def read_mlflow(self) -> dict[str, Any] | None:
        """Return ``tracking`` and ``run_id`` of the run at its MLflow server."""
        return read_object(self.mlflow)

    def read_metrics(self) -> pd.DataFrame | None:
        """Return the metrics, one row for each case and class.

        Those of an agreement with a teacher have the names of metrics as well, and a column ``reference`` that says so.
        """
        return read_table(self.metrics)

    def require_metrics(self) -> pd.DataFrame:
        """Return the metrics, one row for each case and class.

        Raises:
            FileNotFoundError: if there are none.
            ValueError: for a file that is not a table of metrics.
        """
        return _require(self.read_metrics(), self.metrics, "the metrics of a run, written by `medkd evaluate`")

    def read_last_line(self) -> str:
        """Return the last line of `log` that is not blank; an empty text if there is none."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.is_file() else ""
        # A progress bar redraws its line after a carriage return.
        lines = [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write the record."""
        import yaml

        _write(self.config, yaml.safe_dump(dict(config), sort_keys=False, width=120))

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        """Write command, seed, versions and machine of the run."""
        _write(self.environment, json.dumps(environment, indent=2))

    def write_metrics(self, table: pd.DataFrame, is_agreement: bool = False) -> None:
        """Write the metrics; those of an agreement with a teacher are named so."""
        write_atomically(self.metrics, lambda path: text_table(table, is_agreement).to_csv(path, index=False))

    def write_summary(self, summary: Mapping[str, Any], is_agreement: bool = False) -> None:
        """Write mean, standard deviation and number of cases of each metric and class, see `write_metrics`."""
        _write(self.summary, json.dumps(agreement_summary(summary) if is_agreement else summary, indent=2))

    def write_correction(self, correction: Mapping[str, Any]) -> None:
        """Write what PLC-KD's soft-label correction did."""
        _write(self.correction, json.dumps(correction, indent=2, allow_nan=False))

    def write_calibration(self, calibration: Mapping[str, Any]) -> None:
        """Write the bins of a reliability diagram for each class."""
        _write(self.calibration, json.dumps(calibration, indent=2, allow_nan=False))

    def write_mlflow(self, tracking: str, run_id: str) -> None:
        """Write the number of the run at its MLflow server."""
        _write(self.mlflow, json.dumps({"tracking": tracking, "run_id": run_id}, indent=2))

    def save_model(self, state: Mapping[str, Any]) -> None:
        """Write the weights."""
        save_atomically(state, self.model)


def _require(content: T | None, file: Path, expected: str) -> T:
    if content is not None:
        return content
    if not file.exists():
        raise FileNotFoundError(f"{file}: no such file, expected {expected}")
    raise ValueError(f"{file}: found another content, expected {expected}")


def _write(file: Path, text: str) -> None:
    write_atomically(file, lambda path: path.write_text(text, encoding="utf-8"))
