"""The console: a bar within the epoch, one line after it."""

from __future__ import annotations

import time

from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator, SupervisedTrainer, Workflow
from tqdm import tqdm

from medkd.parallel.group import progress_disabled
from medkd.runs.duration import format_duration

from .forecast import CostForecast
from .step_memory import MemoryCheck

__all__ = ["CaseProgress", "ConsoleProgress"]


class ConsoleProgress:
    """Show epoch, step and remaining time of a training, and print one line an epoch with loss terms and validation.

    Before the first step it says whether it fits into memory, see `MemoryCheck`; after some steps, how long the training will
    take, see `CostForecast`.

    Tensors are read once an epoch only, so that the process does not wait for the GPU in between. The bar needs a
    terminal.

    Args:
        evaluator: the validation engine, whose key metric is printed.
        title: stands before each line.
    """

    def __init__(self, evaluator: SupervisedEvaluator | None = None, title: str = "train") -> None:
        self.evaluator = evaluator
        self.title = title

    def attach(self, trainer: SupervisedTrainer) -> None:
        """Register the handler at a trainer."""
        trainer.add_event_handler(Events.STARTED, self._start)
        trainer.add_event_handler(Events.EPOCH_STARTED, self._open)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda _: self.bar.update())
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._close)
        CostForecast(self.title).attach(trainer)
        MemoryCheck(self.evaluator).attach(trainer)

    def _start(self, trainer: SupervisedTrainer) -> None:
        self.started = time.monotonic()
        self.epochs_before: int = trainer.state.epoch

    def _open(self, trainer: SupervisedTrainer) -> None:
        state = trainer.state
        # Read now: the scheduler changes it at the end of the epoch.
        self.learning_rate: float = trainer.optimizer.param_groups[0]["lr"]
        self.bar = tqdm(
            total=state.epoch_length,
            desc=f"{self.title} {state.epoch}/{state.max_epochs}",
            leave=False,
            disable=progress_disabled(),
        )

    def _close(self, trainer: SupervisedTrainer) -> None:
        self.bar.close()
        state = trainer.state
        epoch, last_epoch = int(state.epoch), int(state.max_epochs or 0)
        elapsed = time.monotonic() - self.started
        remaining = elapsed / (epoch - self.epochs_before) * (last_epoch - epoch)
        losses = {name: float(value) for name, value in state.metrics.items() if name.startswith("loss")}
        terms = " ".join(f"{name.removeprefix('loss/')} {value:.4f}" for name, value in losses.items())
        line = f"{self.title} epoch {epoch}/{last_epoch} step {state.iteration}  {terms}  lr {self.learning_rate:.1e}"
        print(
            f"{line}{self._validation(epoch)}  {format_duration(elapsed)}, {format_duration(remaining)} left",
            flush=True,
        )

    def _validation(self, epoch: int) -> str:
        """Return the key metric of this epoch, if it has a validation, and the best so far."""
        state = None if self.evaluator is None else self.evaluator.state
        if state is None:
            return ""
        best = f"best {state.best_metric:.4f}, epoch {state.best_metric_epoch}" if state.best_metric_epoch > 0 else ""
        if not state.metrics or state.epoch != epoch:
            return best and f"  ({best})"
        name = state.key_metric_name
        return f"  {name} {state.metrics[name]:.4f} ({best or 'none counts yet'})"


class CaseProgress:
    """Show a bar over the cases of an evaluation or inference, with the remaining time. The bar needs a terminal.

    Args:
        title: stands before the bar.
    """

    def __init__(self, title: str) -> None:
        self.title = title

    def attach(self, engine: Workflow) -> None:
        """Register the handler at an engine."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda _: self.bar.update())
        engine.add_event_handler(Events.COMPLETED, lambda _: self.bar.close())

    def _start(self, engine: Engine) -> None:
        self.bar = tqdm(total=engine.state.epoch_length, desc=self.title, unit="case", disable=progress_disabled())
