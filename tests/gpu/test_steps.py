"""A step of every method on a GPU, in each precision, against the CPU in float32; channels last; the compiled student."""

import functools

import pytest
import torch

from medkd import methods

from .builders import CUDA, DEVICES, batches, deviation, make, state_vector

# Largest relative deviation of loss and gradient from those of a CPU in float32: in half precision about three times what the
# same steps deviate by on a CPU in that precision (gradients 0.01 to 0.09 and 0.04 to 0.06), in float32 the order of sums.
TOLERANCES = {"float32": (1e-4, 2e-3), "float16": (3e-3, 0.25), "bfloat16": (1e-2, 0.2)}
pytestmark = pytest.mark.filterwarnings("ignore:DKDLoss")


def learned(trainer):
    """Return the loss of a step and what it changed: minus the gradient, at the learning rate 1."""
    before = state_vector(trainer)
    trainer.run()
    return float(trainer.state.metrics["loss"]), state_vector(trainer) - before


@functools.cache
def reference(method, width=4):
    return learned(make(method, "cpu", width=width))


def check(trainer, method, precision, width=4):
    loss, change = learned(trainer)
    expected_loss, expected_change = reference(method, width)
    of_loss, of_gradient = TOLERANCES[precision]
    assert loss == pytest.approx(expected_loss, rel=of_loss)
    assert deviation(change, expected_change) < of_gradient


@pytest.mark.parametrize("precision", TOLERANCES)
@pytest.mark.parametrize(
    ("device", "method"),
    [("cpu", "hlfd"), *(pytest.param(*CUDA.values, method, marks=CUDA.marks) for method in methods.names())],
)
def test_a_step_equals_that_of_the_cpu(device, method, precision):
    check(make(method, device, precision), method, precision)


@pytest.mark.parametrize("precision", TOLERANCES)
@pytest.mark.parametrize("device", DEVICES)
def test_channels_last_changes_nothing(device, precision):
    width = 16  # a narrower ResNet is not trained so on CPUs, see `choose_memory_format`
    trainer = make("hlfd", device, precision, width=width, to_kwargs={"memory_format": torch.channels_last})
    for module in (trainer.network, trainer.teacher):
        module.to(memory_format=torch.channels_last)
    check(trainer, "hlfd", precision, width)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["none", "hlfd"])
@pytest.mark.parametrize("device", [CUDA])
def test_a_compiled_student_learns_the_same(device, method):
    trainer = make(method, device, compile=True)
    check(trainer, method, "float32")
    assert not any("_orig_mod" in name for name in trainer.network.state_dict())


@pytest.mark.parametrize("device", DEVICES)
def test_accumulated_and_clipped_steps(device):
    options = {"train_data_loader": batches(2), "accumulation_steps": 2, "clip_norm": 1e-2}
    (loss, change), (expected_loss, expected) = (
        learned(make("hlfd", place, precision, **options))
        for place, precision in ((device, "float16" if device == "cuda" else "float32"), ("cpu", "float32"))
    )
    assert loss == pytest.approx(expected_loss, rel=3e-3) and deviation(change, expected) < 0.25
    assert float(change.norm()) <= 1e-2 * 1.01
