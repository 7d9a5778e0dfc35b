"""The files of a run by name."""

from __future__ import annotations

from pathlib import Path
from typing import Self

__all__ = ["RunPaths"]


class RunPaths:
    """The output folder of a run: its files as named paths.

    Args:
        path: the folder; it does not have to exist.
        prefix: of the names of the record, such as "evaluate_": an evaluation leaves its own record beside the training's.
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
    def of_model(cls, model: str | Path) -> Self:
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
