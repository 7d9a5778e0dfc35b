"""Exact restart: a killed run, resumed, ends with the weights of an uninterrupted one, bit for bit."""

from __future__ import annotations

import random
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

from medkd.networks.checkpoints import read_weights
from medkd.parallel.group import barrier, graceful_shutdown, is_main_process, processes

from .files import save_atomically
from .folder import RunFolder

__all__ = ["ResumableRun"]

# What may differ when a run goes on: where it runs, and the steps around the training.
_FREE = (
    "resume",
    "bundle_root",
    "dataset_dir",
    "output_dir",
    "device",
    "command",
    "initialize",
    "run",
    "soft_labels_dir",
)
_FREE += ("teacher", "false_pixel_assistant", "boundary_assistant", "mlflow")


class ResumableRun:
    """Saves after every epoch all that the next one depends on, and reads it back.

    Randomness is not saved but made a function of (seed, epoch, rank): at each start of an epoch Python, NumPy, torch and
    the data set's transforms are seeded anew. So every method sees the same batches at the same seed too. (The numbers
    of data-loader workers 0 and 1 give different augmentations.)

    MONAI's `CheckpointSaver` restores neither the best metric, nor the early-stop counter, nor the gradient scaler, and
    ignite deletes the old file before it writes the new one; hence this class.

    Args:
        path: the file, written under a temporary name and moved into place.
        objects: name -> object with ``state_dict`` and ``load_state_dict``: network, loss, optimizer, scheduler, ...
        seed: of the run.
        evaluator: the validation engine, whose best metric is kept.
        config: the merged configuration of the run, from `medkd.cli.check_command`; a resumed run must have the same.
        patience: validations without a better key metric after which training stops; None never stops.
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
        self.config = None if config is None else {k: v for k, v in config.items() if k not in _FREE}
        self.patience = patience
        self._stopped = False  # early, by the run that is resumed
        self._saved = 0  # epochs in the file

    def run(self, trainer: SupervisedTrainer, resume: bool = False) -> None:
        """Trains to the end, from the start or from the file. A run that is complete already is left as it is.

        Raises:
            FileNotFoundError: when the file's folder is not there, or holds other results.
            ValueError: when the file belongs to a run with other options or another number of batches an epoch.
        """
        trainer.add_event_handler(Events.EPOCH_STARTED, self._seed_epoch)
        if self.patience is not None and self.evaluator is not None:
            stopper = EarlyStopping(self.patience, _key_metric, trainer)
            self.evaluator.add_event_handler(Events.COMPLETED, stopper)
            self.objects["early_stop"] = stopper
        if resume:
            self._load(trainer)
            if self._stopped or trainer.state.epoch >= trainer.state.max_epochs:
                print(f"{self.path}: the run ended after {trainer.state.epoch} epochs, nothing to resume")
                return
        # Attached last: validation, best model and early stop of this epoch must be in the file.
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._save)
        with graceful_shutdown(lambda: self._advice(trainer)):
            trainer.run()
            barrier()  # the best model is read by all

    def _advice(self, trainer: SupervisedTrainer) -> str:
        """What to do when it breaks off: the file has the epochs that are whole."""
        done = f"from epoch {self._saved + 1}" if self._saved else "from its start"
        return f"the run goes on with --resume True {done} of {trainer.state.max_epochs}"

    def _seed_epoch(self, trainer: SupervisedTrainer) -> None:
        words = np.random.SeedSequence([self.seed, trainer.state.epoch, trainer.state.rank]).generate_state(4)
        random.seed(int(words[0]))
        np.random.seed(int(words[1]))
        torch.manual_seed(int(words[2]))
        # the transform alone: what lies beneath it (a cache, stored soft labels) must not shift the draws
        dataset = trainer.data_loader.dataset
        set_rnd(getattr(dataset, "transform", None) or dataset, int(words[3]))

    def _save(self, trainer: SupervisedTrainer) -> None:
        self._saved = trainer.state.epoch
        if not is_main_process():
            return
        state = {
            "run": self._identity(trainer),
            "config": self.config,
            "objects": {name: item.state_dict() for name, item in self.objects.items()},
            "trainer": {"epoch": trainer.state.epoch, "iteration": trainer.state.iteration},
            "stopped": trainer.should_terminate,  # early
        }
        if trainer.scaler is not None:
            state["scaler"] = trainer.scaler.state_dict()
        if self.evaluator is not None:
            best = self.evaluator.state
            state["best"] = {"metric": float(best.best_metric), "epoch": int(best.best_metric_epoch)}
        save_atomically(state, self.path)

    def _identity(self, trainer: SupervisedTrainer) -> dict[str, int]:
        """What decides which batch comes when; the number of processes, where there are several."""
        shared = {"processes": processes()} if processes() > 1 else {}
        return {"seed": self.seed, "epoch_length": trainer.state.epoch_length, **shared}

    def _begin_anew(self) -> None:
        """Scripts of clusters always say --resume True, also when the run before was killed in its first epoch."""
        folder = RunFolder.of_model(self.path)
        if folder.model.is_file() or folder.config.is_file():
            print(f"{self.path}: the run was stopped in its first epoch and begins anew")
        elif folder.path.is_dir() and not folder.metrics.exists():
            print(f"note: {self.path}: no such file, nothing of a run is in its folder: it begins from its start")
        else:
            raise FileNotFoundError(f"resume: {self.path}: no such file, expected one of an earlier, unfinished run")

    def _load(self, trainer: SupervisedTrainer) -> None:
        if not self.path.is_file():
            self._begin_anew()
            return
        # cpu: each object takes its part to its own device, and the optimizer's step counters stay where they belong
        state = read_weights(self.path, "resume:")
        if not isinstance(state, dict) or not {"run", "objects", "trainer"} <= state.keys():
            raise ValueError(f"resume: {self.path}: no checkpoint of a training, expected the resume.pt of a run")
        run = self._identity(trainer)
        if state["run"] != run:
            raise ValueError(f"resume: {self.path} is of another run: {state['run']} found, this run has {run}")
        if differing := _differing(state["config"], self.config):
            raise ValueError(f"resume: {self.path} is of a run with other options: {'; '.join(differing)}")
        if state["objects"].keys() != self.objects.keys():
            raise ValueError(f"resume: {self.path} holds {sorted(state['objects'])}, expected {sorted(self.objects)}")
        for name, item in self.objects.items():
            item.load_state_dict(state["objects"][name])
        self._stopped = state["stopped"]
        self._saved = trainer.state.epoch = state["trainer"]["epoch"]
        trainer.state.iteration = state["trainer"]["iteration"]
        if "scaler" in state:
            # MONAI makes a new scaler when the run starts
            trainer.add_event_handler(Events.STARTED, lambda engine: engine.scaler.load_state_dict(state["scaler"]))
        if self.evaluator is not None:
            self.evaluator.state.best_metric = state["best"]["metric"]
            self.evaluator.state.best_metric_epoch = state["best"]["epoch"]


def _differing(saved: Any, now: Any, name: str = "") -> list[str]:
    """What distinguishes two configurations, by the innermost ids; nothing when one of them is not known."""
    if saved == now or (not name and None in (saved, now)):
        return []
    if isinstance(saved, Mapping) and isinstance(now, Mapping):
        ids = {**saved, **now}
        outer = f"{name}::" if name else ""
        return [line for key in ids for line in _differing(saved.get(key), now.get(key), f"{outer}{key}")]
    was, is_ = (shorten(str(value), 80, placeholder="...") for value in (saved, now))
    return [f"{name} was {was}, is {is_}"]


def _key_metric(evaluator: SupervisedEvaluator) -> float:
    return float(evaluator.state.metrics[evaluator.state.key_metric_name])
