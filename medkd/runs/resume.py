"""Exact restart: a killed run, resumed, ends with the weights of an uninterrupted one, bit for bit."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import torch
from ignite.engine import Events
from ignite.handlers import EarlyStopping
from monai.data.utils import set_rnd
from monai.engines import SupervisedEvaluator, SupervisedTrainer

from medkd.configs.table import ID_OPTIONS
from medkd.networks.weight_file import read_weights
from medkd.parallel.group import barrier, graceful_shutdown, is_main_process, processes

from .files import save_atomically
from .folder import RunFolder
from .former_defaults import add_former_defaults
from .improvement import describe_improvement

__all__ = ["ResumableRun"]

# Ids that may differ when a run is resumed: where it runs, and the steps around the training.
_FREE_IDS = {"bundle_root", "changed", "command", "dataset_dir", "device", "initialize", "output_dir", "resume", "run"}
_FREE_IDS |= {"boundary_assistant", "false_pixel_assistant", "mlflow", "soft_labels_dir", "teacher"}


class ResumableRun:
    """Save everything that the next epoch depends on after every epoch, and load it again.

    The state of random generators is not saved. It is a function of seed, epoch and process number instead: at the start of
    each epoch Python, NumPy, torch and the data set's transforms are seeded anew. So all methods see the same batches at the
    same seed. (Augmentations differ between runs with 0 and with 1 data-loader workers.)

    MONAI's `CheckpointSaver` restores neither the best metric, nor the early-stop counter, nor the gradient scaler, and
    ignite deletes the old file before it writes the new one.

    Args:
        path: the file.
        objects: name -> object with ``state_dict`` and ``load_state_dict``: network, loss, optimizer, scheduler, ...
        seed: of the run.
        evaluator: the validation engine, whose best metric is kept.
        config: the merged configuration of the run, from `medkd.cli.check_command`; a resumed run must have the same.
        patience: number of validations without a better key metric after which training stops; None never stops.
    """

    def __init__(
        self,
        path: str | Path,
        objects: Mapping[str, Any],
        seed: int,
        evaluator: SupervisedEvaluator | None = None,
        config: Mapping[str, Any] | None = None,
        patience: int | None = None,
    ) -> None:
        self.path = Path(path)
        self.objects = dict(objects)
        self.seed = seed
        self.evaluator = evaluator
        self.config = None if config is None else {k: v for k, v in config.items() if k not in _FREE_IDS}
        self.patience = patience
        self.validations: list[tuple[int, float]] = []  # (epoch, key metric)
        self._stopped_early = False  # in the run that is resumed
        self._saved_epoch = 0

    def run(self, trainer: SupervisedTrainer, resume: bool = False) -> None:
        """Train to the end, from the start or from the file. A complete run is left as it is.

        Args:
            trainer: the training engine.
            resume: whether to continue from the file.

        Raises:
            FileNotFoundError: if the file's folder does not exist, or holds other results.
            ValueError: if the file is of a run with other options or another number of batches an epoch.
        """
        trainer.add_event_handler(Events.EPOCH_STARTED, self._seed_epoch)
        if self.patience is not None and self.evaluator is not None:
            stopper = EarlyStopping(self.patience, _key_metric, trainer)
            self.evaluator.add_event_handler(Events.COMPLETED, stopper)
            self.objects["early_stop"] = stopper
        if self.evaluator is not None:
            self.evaluator.add_event_handler(Events.COMPLETED, self._keep_validation, trainer)
        if resume:
            self._load(trainer)
            if self._stopped_early or trainer.state.epoch >= (trainer.state.max_epochs or 0):
                print(f"{self.path}: the run ended after {trainer.state.epoch} epochs, nothing to resume")
                return
        # Attached last: the file must have validation, best model and early stop of this epoch.
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._save)
        is_whole, started = not self._saved_epoch, time.monotonic()
        with graceful_shutdown(lambda: self._hint(trainer)):
            trainer.run()
            barrier()  # all processes read the best model
        if is_main_process():
            self._record_end(trainer, time.monotonic() - started if is_whole else None)

    def _keep_validation(self, evaluator: SupervisedEvaluator, trainer: SupervisedTrainer) -> None:
        self.validations.append((trainer.state.epoch, _key_metric(evaluator)))

    def _record_end(self, trainer: SupervisedTrainer, seconds: float | None) -> None:
        """Record how long the training took, if in one call; record and print whether validation was still rising."""
        facts: dict[str, Any] = {} if seconds is None else {"training_seconds": round(seconds, 1)}
        if self.evaluator is not None:
            metric = self.evaluator.state.key_metric_name
            rising = describe_improvement(self.validations, trainer.state.epoch, metric)
            facts["still_rising"] = rising is not None
            if rising is not None:
                print(f"note: {rising}: more --max_epochs may give a better model", flush=True)
        folder = RunFolder.of_model(self.path)
        if (record := folder.read_environment()) is not None:
            folder.write_environment({**record, **facts})

    def _hint(self, trainer: SupervisedTrainer) -> str:
        """Return what to do when the run breaks off: the file has the complete epochs."""
        start = f"from epoch {self._saved_epoch + 1}" if self._saved_epoch else "from its start"
        return f"the run goes on with --resume True {start} of {trainer.state.max_epochs}"

    def _seed_epoch(self, trainer: SupervisedTrainer) -> None:
        words = np.random.SeedSequence([self.seed, trainer.state.epoch, trainer.state.rank]).generate_state(4)
        random.seed(int(words[0]))
        np.random.seed(int(words[1]))
        torch.manual_seed(int(words[2]))
        # The transform alone: data sets below it (a cache, cached soft labels) must not shift the random numbers.
        dataset = getattr(trainer.data_loader, "dataset", None)
        set_rnd(getattr(dataset, "transform", None) or dataset, int(words[3]))

    def _save(self, trainer: SupervisedTrainer) -> None:
        self._saved_epoch = trainer.state.epoch
        if not is_main_process():
            return
        state: dict[str, Any] = {
            "run": self._identity(trainer),
            "config": self.config,
            "objects": {name: item.state_dict() for name, item in self.objects.items()},
            "trainer": {"epoch": trainer.state.epoch, "iteration": trainer.state.iteration},
            "stopped": trainer.should_terminate,  # early
            "settings": getattr(trainer, "settings", {}),
        }
        if trainer.scaler is not None:
            state["scaler"] = trainer.scaler.state_dict()
        if self.evaluator is not None:
            best = self.evaluator.state
            state["best"] = {
                "name": best.key_metric_name,
                "metric": float(best.best_metric),
                "epoch": int(best.best_metric_epoch),
            }
            state["validations"] = self.validations
        save_atomically(state, self.path)

    def _tell_settings(self, trainer: SupervisedTrainer, saved: Mapping[str, Any]) -> None:
        """Print a note if ``auto`` means something else on this machine: the run goes on, not bit for bit."""
        for name, value in saved.items():
            if (now := getattr(trainer, "settings", {}).get(name, value)) != value:
                print(f"note: {self.path}: {name} was {value} where the run began, is {now} here", flush=True)

    def _identity(self, trainer: SupervisedTrainer) -> dict[str, Any]:
        """Return what decides the order of the batches."""
        shared = {"processes": processes()} if processes() > 1 else {}
        return {"seed": self.seed, "epoch_length": trainer.state.epoch_length, **shared}

    def _begin_anew(self) -> None:
        """Start without a file: scripts of clusters pass --resume True even if a run was killed in its first epoch."""
        folder = RunFolder.of_model(self.path)
        if folder.model.is_file() or folder.config.is_file():
            print(f"{self.path}: the run was stopped in its first epoch and begins anew")
        elif folder.path.is_dir() and not folder.metrics.exists():
            print(f"note: {self.path}: no such file, nothing of a run is in its folder: it begins from its start")
        else:
            raise FileNotFoundError(f"--resume: {self.path}: no such file, expected one of an earlier, unfinished run")

    def _load(self, trainer: SupervisedTrainer) -> None:
        if not self.path.is_file():
            self._begin_anew()
            return
        # On the CPU: each object moves its tensors to its device, and the optimizer's step counters stay on the CPU.
        state = self._check(trainer, read_weights(self.path, "resume:"))
        for name, item in self.objects.items():
            item.load_state_dict(state["objects"][name])
        self._tell_settings(trainer, state.get("settings", {}))
        self._stopped_early = state["stopped"]
        self._saved_epoch = trainer.state.epoch = state["trainer"]["epoch"]
        trainer.state.iteration = state["trainer"]["iteration"]
        if "scaler" in state:
            # MONAI creates a new scaler when the run starts.
            trainer.add_event_handler(Events.STARTED, lambda engine: engine.scaler.load_state_dict(state["scaler"]))
        if self.evaluator is not None:
            self.evaluator.state.best_metric = state["best"]["metric"]
            self.evaluator.state.best_metric_epoch = state["best"]["epoch"]
            self.validations = [tuple(pair) for pair in state.get("validations", [])]  # older runs kept none

    def _check(self, trainer: SupervisedTrainer, state: Any) -> dict[str, Any]:
        """Return the content of the file, which must be of this run."""
        if not isinstance(state, dict) or not {"run", "objects", "trainer"} <= state.keys():
            raise ValueError(f"--resume: {self.path}: no checkpoint of a training, expected the resume.pt of a run")
        identity = self._identity(trainer)
        if state["run"] != identity:
            raise ValueError(f"--resume: {self.path} is of another run: found {state['run']}, expected {identity}")
        saved = state["config"] and add_former_defaults(state["config"], trainer.state.device.type == "cuda")
        if differences := _differences(saved, self.config):
            options = [name for name in ID_OPTIONS if _differ(name, saved, self.config)]
            # what the bundles of another version of medkd wrote is no choice of the user
            of = (
                "with other options"
                if options
                else "of other overrides, or of another version of medkd, which can finish it"
            )
            raise ValueError(f"--resume: {self.path} is of a run {of}: {'; '.join(differences)}")
        if state["objects"].keys() != self.objects.keys():
            raise ValueError(
                f"--resume: {self.path}: found {sorted(state['objects'])}, expected {sorted(self.objects)}"
            )
        return state


def _differences(saved: Any, current: Any, name: str = "") -> list[str]:
    """Return the differences of two configurations, by the innermost ids; none if one configuration is unknown."""
    saved, current = (None if value == "$None" else value for value in (saved, current))
    if saved == current or (not name and None in (saved, current)):
        return []
    if isinstance(saved, Mapping) and isinstance(current, Mapping):
        prefix = f"{name}::" if name else ""
        return [
            line
            for key in {**saved, **current}
            for line in _differences(saved.get(key), current.get(key), f"{prefix}{key}")
        ]
    before, now = (shorten(str(value), 80, placeholder="...") for value in (saved, current))
    return [f"{name} was {before}, is {now}"]


def _differ(option: str, saved: Any, current: Any) -> bool:
    """Return whether two configurations have different values of an option that both know."""
    return option in saved and option in current and bool(_differences(saved[option], current[option], option))


def _key_metric(evaluator: SupervisedEvaluator) -> float:
    return float(evaluator.state.metrics[evaluator.state.key_metric_name])
