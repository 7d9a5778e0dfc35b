"""No step and no loss makes the host wait for the GPU, as CUDA itself sees it; the similarity correction is the exception."""

import contextlib

import pytest
import torch
from ignite.engine import Events

from medkd import methods
from medkd.losses.taps import tap_pair
from tests.losses.test_contract import LOSSES, features, labels, mapped

from .builders import make

pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("ignore:DKDLoss")]


@contextlib.contextmanager
def no_host_sync():
    """Raise an error where the host would wait."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("precision", ["float32", "float16"])  # with the gradient scaler
@pytest.mark.parametrize("method", methods.names())
def test_no_step_waits(method, precision):
    trainer = make(method, "cuda", precision, count=3, adam=True, clip_norm=1.0, fixed_norms=False)
    strict, steps = contextlib.ExitStack(), []
    # the first step may copy constants, and choose algorithms
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=1), lambda: strict.enter_context(no_host_sync()))
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: steps.append(1))
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=3), strict.close)  # the end of the epoch reads values
    with strict:
        trainer.run()
    assert len(steps) == 3


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", LOSSES)
def test_no_loss_waits(name, dims):
    make_loss, tap = LOSSES[name]
    loss = make_loss(dims).to("cuda")
    student, teacher = (mapped(features(dims, seed), lambda x: x.to("cuda")) for seed in (0, 1))
    student = mapped(student, lambda x: x.requires_grad_())
    target = labels(student.logits).to("cuda")
    pair = tap_pair(student, teacher, tap)
    loss(*pair, target).backward()
    with no_host_sync():
        loss(*pair, target).backward()
