"""The precision of a training on each kind of device."""

import pytest
import torch

from medkd.engines.precision import autocast_arguments, precision_name


@pytest.mark.parametrize(
    ("amp", "device", "precision"),
    [
        ("auto", "cuda", "float16"),
        (True, "cuda", "float16"),
        (False, "cuda", "float32"),
        (1, "cpu", "bfloat16"),
        ("auto", "cpu", "float32"),
        ("auto", "mps", "float32"),
    ],
)
def test_precision_of_a_device(amp, device, precision):
    assert precision_name(autocast_arguments(amp, torch.device(device))) == precision


def test_other_words_are_refused():
    with pytest.raises(ValueError, match="amp: found 'on', expected True, False or auto"):
        autocast_arguments("on", torch.device("cpu"))
