"""Scalars of each epoch, and the parameters of a run, for MLflow."""

from __future__ import annotations

import atexit
import importlib.util
import json
import logging
import os
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import MLFlowHandler

from medkd.parallel.group import is_main_process
from medkd.runs.files import write_atomically
from medkd.runs.lock import FolderLock

__all__ = ["MLflowRecord"]

_RECORD = "mlflow.json"
_MAX = 6000  # characters that MLflow keeps of a parameter's value


class MLflowRecord:
    """MONAI's `MLFlowHandler` once an epoch, of the first process alone: loss terms, validation, parameters. The run is opened
    after the first step, as in `RunRecord`; a resumed training goes on in the run whose number it left in ``mlflow.json``.
    One that breaks off leaves a run that MLflow calls killed. Files are not copied: the parameter ``output_dir`` says
    where they are.

    Args:
        tracking: URI of a server or data base (``http://...``, ``sqlite:///...``), or a folder, which then holds ``mlruns.db``;
            None records nothing.
        output_dir: the run's folder.
        bundle_root: its last name is that of MLflow's experiment.
        name: of the run: the method; ``/seed_0`` is added.
        seed: of the run.
        evaluator: the validation engine.
        config: the merged configuration, from `medkd.cli.check_command`; its plain values are the run's parameters.

    Raises:
        ValueError: where MLflow is not installed, for a file in the place of the folder or one that cannot be written, or
            where ``MLFLOW_TRACKING_URI``, which MLflow heeds before all else, names another place; after the first step where
            MLflow cannot begin a run there.
    """

    def __init__(
        self,
        tracking: str | None,
        output_dir: str | Path,
        bundle_root: str | Path,
        name: str,
        seed: int,
        evaluator: SupervisedEvaluator | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = None if tracking is None or "://" in str(tracking) else Path(tracking).absolute()
        self.uri = f"sqlite:///{self.folder / 'mlruns.db'}" if self.folder else tracking
        self.output_dir = Path(output_dir)
        self.experiment = Path(bundle_root).resolve().name
        self.name = f"{name}/seed_{seed}"
        self.evaluator = evaluator
        self.config = config or {}
        self._handler: MLFlowHandler | None = None
        if self.uri is not None:
            self._check(tracking)

    def attach(self, engine: SupervisedTrainer) -> None:
        if self.uri is not None:
            engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: SupervisedTrainer) -> None:
        if self._handler is None and is_main_process():
            self._open(engine)

    def _check(self, tracking: str) -> None:
        # skinny MLflow comes without what a local data base needs
        needed = ("mlflow", "sqlalchemy", "alembic") if self.uri.startswith("sqlite:") else ("mlflow",)
        if missing := [package for package in needed if importlib.util.find_spec(package) is None]:
            raise ValueError(f'mlflow {tracking}: no {missing[0]} here: pip install "medkd[mlflow]"')
        if (before := os.environ.get("MLFLOW_TRACKING_URI")) and before != self.uri:
            raise ValueError(f"mlflow {tracking}: MLFLOW_TRACKING_URI is set to {before}: unset it, or give the same")
        if self.uri.startswith("file:"):
            raise ValueError(f"mlflow {tracking}: MLflow writes no files any more: give a folder without file://")
        if self.folder is not None:
            there = next(place for place in (self.folder, *self.folder.parents) if place.exists())
            if not there.is_dir():
                raise ValueError(f"mlflow {tracking}: {there} is a file, expected a folder or a URI")
            if not os.access(there, os.W_OK):
                raise ValueError(f"mlflow {tracking}: {there} is not writable")

    def _open(self, engine: SupervisedTrainer) -> None:
        _send_no_telemetry()
        for name in ("mlflow", "alembic"):  # of the data base's making
            logging.getLogger(name).setLevel(logging.WARNING)
        try:
            with nullcontext() if self.folder is None else FolderLock(self.folder, wait=True):
                handler = self._begun(engine)
        except Exception as error:  # of the file system, of SQLAlchemy, of MLflow, of its connection
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise ValueError(f"mlflow {self.folder or self.uri}: no run can be begun there: {reason}") from error
        self._keep_rate(engine)
        FolderLock(self.output_dir).acquire()
        record = json.dumps({"tracking": self.uri, "run_id": handler.cur_run.info.run_id}, indent=2)
        write_atomically(self.output_dir / _RECORD, lambda path: path.write_text(record))
        handler.attach(engine)
        engine.add_event_handler(Events.EPOCH_STARTED, self._keep_rate)
        if self.evaluator is not None:
            self.evaluator.add_event_handler(Events.EPOCH_COMPLETED, handler.epoch_completed)
        engine.add_event_handler(Events.COMPLETED, handler.close)
        atexit.register(self._killed)

    def _begun(self, engine: SupervisedTrainer) -> MLFlowHandler:
        """The handler, with its run begun or gone on with."""
        handler = self._handler = MLFlowHandler(
            tracking_uri=self.uri,
            iteration_log=False,
            epoch_logger=self._log,
            experiment_name=self.experiment,
            run_name=self.name,
        )
        if (before := self._before(engine)) is not None:
            handler.client.update_run(before, status="RUNNING")
            handler.cur_run = handler.client.get_run(before)
        else:
            # a name alone would go on in any unfinished run of that method and seed
            handler._set_experiment()
            handler.cur_run = handler.client.create_run(handler.experiment.experiment_id, run_name=self.name)
            handler.experiment_param = _parameters(self.config)
        handler.start(engine)
        return handler

    def _keep_rate(self, engine: SupervisedTrainer) -> None:
        """Of this epoch: the scheduler steps at its end."""
        self._rate = engine.optimizer.param_groups[0]["lr"]

    def _before(self, engine: Engine) -> str | None:
        """The run that this training goes on with."""
        record = self.output_dir / _RECORD
        if engine.state.epoch == 1 or not record.is_file():
            return None
        found = json.loads(record.read_text())
        return found["run_id"] if found["tracking"] == self.uri else None

    def _log(self, engine: Engine) -> None:
        """Metrics as plain numbers, MLflow refuses tensors."""
        metrics = {name: float(value) for name, value in engine.state.metrics.items()}
        if isinstance(engine, SupervisedTrainer):
            metrics["learning_rate"] = self._rate
        self._handler._log_metrics(metrics, step=engine.state.epoch)

    def _killed(self) -> None:
        """At the end of a process whose training did not come to its own."""
        if self._handler.cur_run is not None:
            with suppress(Exception):  # the server may be what broke off
                self._handler.client.set_terminated(self._handler.cur_run.info.run_id, "KILLED")


def _send_no_telemetry() -> None:
    """MLflow reports its use to its makers; a hospital's training contacts nobody but the server that was named.

    MONAI imports MLflow with its handlers, long before this, so a variable of the environment alone would come too late.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # a user may have said otherwise
    with suppress(ImportError):  # versions before there was any
        from mlflow.telemetry import set_telemetry_client

        set_telemetry_client()


def _parameters(config: Mapping[str, Any]) -> dict[str, str]:
    """Plain values at the top of a configuration, and the method's arguments; no expressions, nothing that builds something."""
    plain = {name: value for name, value in config.items() if name != "resume" and _is_plain(value)}
    plain |= {f"method_args/{name}": value for name, value in config.get("method_args", {}).items()}
    return {name: str(value)[:_MAX] for name, value in plain.items()}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(part, str | int | float) and _is_plain(part) for part in value)
    return value is not None and not isinstance(value, dict) and not str(value).startswith(("$", "@", "%"))
