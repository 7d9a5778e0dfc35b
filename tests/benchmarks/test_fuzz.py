"""A small sample of the fuzzer's inputs: each is read, or refused in one line. `benchmarks/fuzz.py` reads as many as wanted."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from fuzzing.mutations import CANARY, mutate
from fuzzing.readers import READERS, Reader
from fuzzing.worker import Fuzzer

# without those that build networks, or may end the process
SAMPLED = ("nifti", "nifti_gz", "png", "jpeg", "tiff", "store", "datalist", "split", "patients", "metrics", "summary")
SAMPLED += ("spec", "soft_labels", "progress")
INPUTS = 40


@pytest.mark.parametrize("name", SAMPLED)
@pytest.mark.filterwarnings("ignore")
def test_a_sample_of_mutated_files(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fuzzer = Fuzzer(READERS[name], tmp_path, seed=0)
    assert {fuzzer.read(content) for content in list(fuzzer.corpus)} == {None}
    for _ in range(INPUTS):
        content = fuzzer.next()
        assert fuzzer.read(content) is None, content[:1000]


def test_what_a_fault_looks_like(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(folder):
        (folder / "a.json").write_text('{"a": 1}')

    def read(folder):
        text = (folder / "a.json").read_text()
        if "KeyError" in text:
            raise KeyError("a defect")
        if "canary" in text:
            (tmp_path / CANARY).touch()
        raise ValueError("refused")

    fuzzer = Fuzzer(Reader("a.json", make, read, "json"), tmp_path, seed=0)
    assert fuzzer.read(b"{}") is None
    assert fuzzer.read(b"KeyError") == ("KeyError at ?", "'a defect'")
    assert fuzzer.read(b"canary")[0] == "execution" and fuzzer.read(b"{}") is None
    assert len({fuzzer.next() for _ in range(50)}) > 20 and os.listdir(tmp_path / "files") == ["a.json"]
    assert mutate(b"", "json", fuzzer.draw) is not None
