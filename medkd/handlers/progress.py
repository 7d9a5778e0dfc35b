"""The console: a bar within the epoch, one line after it."""

from __future__ import annotations

import time

from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator, SupervisedTrainer, Workflow
from tqdm import tqdm

from medkd.parallel.group import progress_disabled

__all__ = ["CaseProgress", "ConsoleProgress"]


class ConsoleProgress:
    """Shows epoch, step and time left while training, and one line an epoch with every loss term and the validation.

    Reads tensors once an epoch only, so a GPU is not waited for in between. The bar is drawn on a terminal alone.

    Args:
        evaluator: the validation engine, whose key metric is shown.
        title: what is trained, in front of each line.
    """

    def __init__(self, evaluator: SupervisedEvaluator | None = None, title: str = "train") -> None:
        self.evaluator = evaluator
        self.title = title

    def attach(self, trainer: SupervisedTrainer) -> None:
        trainer.add_event_handler(Events.STARTED, self._start)
        trainer.add_event_handler(Events.EPOCH_STARTED, self._open)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda _: self.bar.update())
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._close)

    def _start(self, trainer: Engine) -> None:
        self.begun, self.first = time.monotonic(), trainer.state.epoch

    def _open(self, trainer: Engine) -> None:
        state = trainer.state
        self.rate = trainer.optimizer.param_groups[0]["lr"]  # of this epoch: the scheduler steps at its end
        self.bar = tqdm(
            total=state.epoch_length,
            desc=f"{self.title} {state.epoch}/{state.max_epochs}",
            leave=False,
            disable=progress_disabled(),
        )

    def _close(self, trainer: Engine) -> None:
        self.bar.close()
        state, spent = trainer.state, time.monotonic() - self.begun
        left = spent / (state.epoch - self.first) * (state.max_epochs - state.epoch)
        losses = {name: float(value) for name, value in state.metrics.items() if name.startswith("loss")}
        terms = " ".join(f"{name.removeprefix('loss/')} {value:.4f}" for name, value in losses.items())
        line = (
            f"{self.title} epoch {state.epoch}/{state.max_epochs} step {state.iteration}  {terms}  lr {self.rate:.1e}"
        )
        print(f"{line}{self._validation(state.epoch)}  {_span(spent)}, {_span(left)} left", flush=True)

    def _validation(self, epoch: int) -> str:
        """Of this epoch, where it has one, and the best so far."""
        state = None if self.evaluator is None else self.evaluator.state
        if state is None:
            return ""
        best = f"best {state.best_metric:.4f}, epoch {state.best_metric_epoch}" if state.best_metric_epoch > 0 else ""
        if not state.metrics or state.epoch != epoch:
            return best and f"  ({best})"
        name = state.key_metric_name
        return f"  {name} {state.metrics[name]:.4f} ({best or 'none counts yet'})"


def _span(seconds: float) -> str:
    """``45 s``, ``12 min 5 s``, ``3 h 20 min``."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


class CaseProgress:
    """A bar over the cases of an evaluation or inference, with the time left; drawn on a terminal alone."""

    def __init__(self, title: str) -> None:
        self.title = title

    def attach(self, engine: Workflow) -> None:
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda _: self.bar.update())
        engine.add_event_handler(Events.COMPLETED, lambda _: self.bar.close())

    def _start(self, engine: Engine) -> None:
        self.bar = tqdm(total=engine.state.epoch_length, desc=self.title, unit="case", disable=progress_disabled())
