"""The precision of a training on each kind of device."""

import pytest
import torch

from medkd.engines import precision
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


@pytest.mark.parametrize(
    ("flags", "amp", "noted"),
    [("sse2 avx512f", True, True), ("sse2 avx512_bf16", True, False), ("sse2", "auto", False), (None, True, False)],
)
def test_a_cpu_without_units_is_named(monkeypatch, tmp_path, capsys, flags, amp, noted):
    file = tmp_path / "cpuinfo"
    if flags is not None:
        file.write_text(f"flags : {flags}\n")
    monkeypatch.setattr(precision, "_CPU_FLAGS", file)
    precision.note_missing_units(autocast_arguments(amp, torch.device("cpu")))
    assert ("has no units for bfloat16" in capsys.readouterr().out) == noted
