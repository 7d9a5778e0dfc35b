"""Scalars of each epoch, and the parameters of a run, for MLflow."""

from __future__ import annotations

import atexit
import importlib.util
import logging
import os
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import MLFlowHandler

from medkd.configs.ids import is_expression
from medkd.parallel.group import is_main_process
from medkd.runs.folder import RunFolder
from medkd.runs.lock import FolderLock

__all__ = ["MLflowRecord"]

_LONGEST_PARAMETER = 6000  # characters that MLflow keeps of a parameter's value


class MLflowRecord:
    """Record loss terms, validation and parameters once an epoch by MONAI's `MLFlowHandler`, in the main process.

    The run is opened after the first step, so a run that fails before leaves nothing. A resumed training continues the
    MLflow run whose number it left in ``mlflow.json``. A training that breaks off leaves a run that MLflow calls killed.
    Files are not copied: the parameter ``output_dir`` says where they are.

    Args:
        tracking: URI of a server or data base (``http://...``, ``sqlite:///...``), or a folder, which then holds
            ``mlruns.db``; None records nothing.
        output_dir: the run's folder.
        bundle_root: its last name is the name of MLflow's experiment.
        name: of the run: the method; ``/seed_0`` is added.
        seed: of the run.
        evaluator: the validation engine.
        config: the merged configuration, from `medkd.cli.check_command`; its plain values are the run's parameters.

    Raises:
        ValueError: if MLflow is not installed; for a file instead of the folder, or one that cannot be written; if the
            variable ``MLFLOW_TRACKING_URI``, which MLflow prefers, is set to another place; after the first step, if
            MLflow cannot open a run.
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
        self.run = RunFolder(output_dir)
        self.experiment = Path(bundle_root).resolve().name
        self.name = f"{name}/seed_{seed}"
        self.evaluator = evaluator
        self.config = config or {}
        self._handler: MLFlowHandler | None = None
        self._learning_rate = 0.0
        if self.uri is not None:
            _check(f"--mlflow {tracking}", self.uri, self.folder)

    def attach(self, engine: SupervisedTrainer) -> None:
        """Register the handler at a trainer."""
        if self.uri is not None:
            engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: SupervisedTrainer) -> None:
        """Open the run, once."""
        if self.uri is not None and self._handler is None and is_main_process():
            self._handler = self._open(engine, self.uri)

    def _open(self, engine: SupervisedTrainer, uri: str) -> MLFlowHandler:
        _send_no_telemetry()
        for name in ("mlflow", "alembic"):  # they print how they create a data base
            logging.getLogger(name).setLevel(logging.WARNING)
        try:
            # Of several runs that find no data base in the folder, one creates it and the others wait.
            with nullcontext() if self.folder is None else FolderLock(self.folder, wait=True):
                handler, run_id = self._start(engine, uri)
        except Exception as error:  # of the file system, of SQLAlchemy, of MLflow, of its connection
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise ValueError(f"--mlflow {self.folder or uri}: no run can be begun there: {reason}") from error
        self._keep_learning_rate(engine)
        FolderLock(self.run.path).acquire()
        self.run.write_mlflow(uri, run_id)
        handler.attach(engine)
        engine.add_event_handler(Events.EPOCH_STARTED, self._keep_learning_rate)
        if self.evaluator is not None:
            self.evaluator.add_event_handler(Events.EPOCH_COMPLETED, handler.epoch_completed)
        engine.add_event_handler(Events.COMPLETED, handler.close)
        atexit.register(partial(_end_killed, handler))
        return handler

    def _start(self, engine: SupervisedTrainer, uri: str) -> tuple[MLFlowHandler, str]:
        """Return the handler, with a run that is new or continued, and the number of the run."""
        handler = MLFlowHandler(
            tracking_uri=uri,
            iteration_log=False,
            epoch_logger=lambda engine: handler._log_metrics(self._metrics(engine), step=engine.state.epoch),
            experiment_name=self.experiment,
            run_name=self.name,
        )
        run_id = self._previous_run(engine, uri)
        if run_id is not None:
            handler.client.update_run(run_id, status="RUNNING")
            run: Any = handler.client.get_run(run_id)
        else:
            # By a name alone, MONAI's handler would continue any unfinished run of that method and seed.
            handler._set_experiment()
            experiment: Any = handler.experiment
            run = handler.client.create_run(experiment.experiment_id, run_name=self.name)
            handler.experiment_param = _parameters(self.config)
        handler.cur_run = run
        handler.start(engine)
        return handler, run.info.run_id

    def _previous_run(self, engine: Engine, uri: str) -> str | None:
        """Return the number of the run that this training continues."""
        record = self.run.read_mlflow()
        if engine.state.epoch == 1 or record is None or record.get("tracking") != uri:
            return None
        return record["run_id"]

    def _keep_learning_rate(self, engine: SupervisedTrainer) -> None:
        """Keep the value of this epoch: the scheduler changes it at the end of the epoch."""
        self._learning_rate = engine.optimizer.param_groups[0]["lr"]

    def _metrics(self, engine: Engine) -> dict[str, float]:
        """Return metrics as plain numbers, because MLflow refuses tensors."""
        metrics = {name: float(value) for name, value in engine.state.metrics.items()}
        if isinstance(engine, SupervisedTrainer):
            metrics["learning_rate"] = self._learning_rate
        return metrics


def _check(option: str, uri: str, folder: Path | None) -> None:
    """Check that MLflow is installed and that it can record at the URI."""
    # mlflow-skinny comes without the packages that a local data base needs.
    needed = ("mlflow", "sqlalchemy", "alembic") if uri.startswith("sqlite:") else ("mlflow",)
    if missing := [package for package in needed if importlib.util.find_spec(package) is None]:
        raise ValueError(f'{option}: {missing[0]} is not installed: pip install -e ".[mlflow]" in the clone of medkd')
    if (variable := os.environ.get("MLFLOW_TRACKING_URI")) and variable != uri:
        raise ValueError(f"{option}: MLFLOW_TRACKING_URI is set to {variable}: unset it, or give the same")
    if uri.startswith("file:"):
        raise ValueError(f"{option}: MLflow writes no files any more: give a folder without file://")
    if folder is not None:
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        if not existing.is_dir():
            raise ValueError(f"{option}: {existing} is a file, expected a folder or a URI")
        if not os.access(existing, os.W_OK):
            raise ValueError(f"{option}: {existing} is not writable")


def _end_killed(handler: MLFlowHandler) -> None:
    """Mark a run as killed whose process ends before its training is complete."""
    run: Any = handler.cur_run
    if run is not None:
        with suppress(Exception):  # the lost connection to the server may be the reason
            handler.client.set_terminated(run.info.run_id, "KILLED")


def _send_no_telemetry() -> None:
    """Turn MLflow's telemetry off: a hospital's training contacts nobody but the server that its user named.

    MONAI imports MLflow with its handlers, long before this, so that a variable of the environment alone comes too late.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # a user may have set it
    with suppress(ImportError):  # of versions without telemetry
        from mlflow.telemetry import set_telemetry_client

        set_telemetry_client()


def _parameters(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the plain top-level values of a configuration and the arguments of the method, without expressions."""
    plain = {name: value for name, value in config.items() if name != "resume" and _is_plain(value)}
    plain |= {f"method_args/{name}": value for name, value in config.get("method_args", {}).items()}
    return {name: str(value)[:_LONGEST_PARAMETER] for name, value in plain.items()}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str | int | float) and _is_plain(item) for item in value)
    return value is not None and not isinstance(value, dict) and not is_expression(value)
