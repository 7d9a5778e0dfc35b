"""The files of a run by name, with one reader and one writer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .escapes import escape_csv, unescape_csv
from .files import save_atomically, write_atomically
from .json_files import is_calibration, is_environment, is_summary, read_object
from .plain_record import plain_options, read_content

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RunFolder"]

T = TypeVar("T")

# columns of names in ``metrics.csv``, which may look like numbers
_TEXTS = ("case", "class", "patient")
_NAMES = (*_TEXTS, "protocol")
AGREEMENT = "agreement_"  # before the names of metrics that compare with a teacher's label maps
TEACHER = "teacher"  # value of the column ``reference`` of such metrics
# columns of numbers; others may be text
_MEASURED = {"dice", "iou", "rvd", "hd95", "abs_rvd", "missed", "empty_truth", "false_alarm", "nsd", "ece"}


class RunFolder:
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

    MODEL = "model.pt"
    RESUME = "resume.pt"
    CONFIG = "config.yaml"
    ENVIRONMENT = "environment.json"
    METRICS = "metrics.csv"
    SUMMARY = "summary.json"

    def __init__(self, path: str | Path, prefix: str = "") -> None:
        self.path = Path(path)
        self.prefix = prefix

    @classmethod
    def of_model(cls, model: str | Path) -> RunFolder:
        """Return the folder of a model, which is named by its file or by the folder itself."""
        path = Path(model)
        return cls(path if path.is_dir() else path.parent)

    def __str__(self) -> str:
        return str(self.path)

    @property
    def model(self) -> Path:
        """The weights of the best validation."""
        return self.path / self.MODEL

    @property
    def resume(self) -> Path:
        """The training checkpoint of the last complete epoch."""
        return self.path / self.RESUME

    @property
    def config(self) -> Path:
        """The record: the whole resolved configuration."""
        return self.path / f"{self.prefix}{self.CONFIG}"

    @property
    def environment(self) -> Path:
        """Command, seed, versions and machine of the run."""
        return self.path / f"{self.prefix}{self.ENVIRONMENT}"

    @property
    def metrics(self) -> Path:
        """The metrics, one row for each case and class."""
        return self.path / self.METRICS

    @property
    def summary(self) -> Path:
        """Mean, standard deviation and number of cases of each metric and class; written last."""
        return self.path / self.SUMMARY

    @property
    def calibration(self) -> Path:
        """The bins of a reliability diagram for each class, over the test cases."""
        return self.path / "calibration.json"

    @property
    def predictions(self) -> Path:
        """The folder of the predicted label maps of the test cases."""
        return self.path / "predictions"

    @property
    def overlays(self) -> Path:
        """The folder of figures of the predictions."""
        return self.path / "overlays"

    @property
    def correction(self) -> Path:
        """What PLC-KD's soft-label correction did."""
        return self.path / "correction.json"

    @property
    def mlflow(self) -> Path:
        """The number of the run at its MLflow server."""
        return self.path / "mlflow.json"

    @property
    def log(self) -> Path:
        """The console output of a run of an experiment: ``logs/<task>/<row>/<seed>.log`` of the experiment's folder."""
        if len(self.path.parents) < 3:
            return self.path / "none.log"
        root = self.path.parents[2]
        return (root / "logs" / self.path.relative_to(root)).with_suffix(".log")

    @property
    def has_begun(self) -> bool:
        """Whether the folder holds weights or a training checkpoint."""
        return self.model.is_file() or self.resume.is_file()

    @property
    def has_ended(self) -> bool:
        """Whether the test of the run is complete."""
        return self.metrics.is_file() and self.summary.is_file()

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
        import pandas as pd

        try:
            # Only an empty cell is a missing value: a case may be called NA, or null.
            types = dict.fromkeys(_TEXTS, str)
            table = pd.read_csv(self.metrics, dtype=types, keep_default_na=False, na_values=[""])
        except (FileNotFoundError, IsADirectoryError, ValueError):
            return None
        measured = [
            name
            for name in map(str, table)
            if name.removeprefix(AGREEMENT).removesuffix("_raw") in _MEASURED or name.startswith(("lesion", "removed"))
        ]
        if not {"case", "class"} <= set(table.columns) or not all(
            map(pd.api.types.is_numeric_dtype, table[measured].dtypes)
        ):
            return None
        if any(name.startswith(AGREEMENT) for name in map(str, table)):
            table = table.rename(columns=lambda name: str(name).removeprefix(AGREEMENT)).assign(reference=TEACHER)
        texts = [name for name in _TEXTS if name in table]
        return table.assign(**{name: table[name].map(unescape_csv, na_action="ignore") for name in texts})

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
        if is_agreement:
            table = table.rename(columns=lambda name: name if name in _NAMES else f"{AGREEMENT}{name}")
        texts = {name: table[name].astype(str).map(escape_csv) for name in _TEXTS if name in table}
        write_atomically(self.metrics, lambda path: table.assign(**texts).to_csv(path, index=False))

    def write_summary(self, summary: Mapping[str, Any], is_agreement: bool = False) -> None:
        """Write mean, standard deviation and number of cases of each metric and class, see `write_metrics`."""
        if is_agreement:
            summary = {
                name: {f"{AGREEMENT}{metric}": value for metric, value in metrics.items()}
                for name, metrics in summary.items()
            }
        _write(self.summary, json.dumps(summary, indent=2))

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
