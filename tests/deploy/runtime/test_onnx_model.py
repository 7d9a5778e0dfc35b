"""What ONNX Runtime says is one line that names the file."""

import numpy as np
import pytest

from medkd.deploy.runtime import OnnxModel


def test_an_input_that_the_network_cannot_take_is_one_line(exported):
    model = OnnxModel(exported["slices"], threads=1)
    with pytest.raises(ValueError, match=r"model .*student.onnx: ONNX Runtime stopped \(.*") as caught:
        model(np.zeros((1, 2, 32, 32)))  # two channels
    assert "\n" not in str(caught.value)


def test_a_list_of_threads_is_no_number_of_threads(exported, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")  # a list, for nested loops
    assert OnnxModel(exported["slices"])(np.zeros((1, 1, 32, 32))).shape == (1, 2, 32, 32)
