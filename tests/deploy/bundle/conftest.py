"""Packed bundles of untrained networks whose predictions have all classes: made once, for every task and mode."""

import functools
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from medkd.cli.words import read_value
from medkd.deploy.bundle import pack
from tests.deploy.bundle.packed_forms import FORMS, WITHOUT_MEDKD, scribbler


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """(task, mode) -> a file of weights without a record, and the options that say the rest."""
    folder = tmp_path_factory.mktemp("scribblers")

    @functools.cache
    def made(task: str, mode: str) -> tuple[Path, list[str]]:
        torch.manual_seed(3)  # with it each network finds all its classes
        network, options = FORMS[task, mode]
        path = folder / f"{task}_{mode}" / "weights.pt"
        path.parent.mkdir()
        torch.save(scribbler(network(width=2)).state_dict(), path)
        return path, [*options, "--student_width", "2"]

    return made


@pytest.fixture(scope="session")
def packed(weights, tmp_path_factory):
    """(task, mode) -> the folder of a packed bundle, its zip beside it."""
    folder = tmp_path_factory.mktemp("packed")

    @functools.cache
    def made(task: str, mode: str) -> Path:
        path, options = weights(task, mode)
        target = folder / f"{task}_{mode}_segmentation"
        values = {
            name.removeprefix("--"): read_value([text]) for name, text in zip(options[::2], options[1::2], strict=True)
        }
        return pack(task, {"model": str(path), "output_dir": str(target), **values}, mode)[0]

    return made


@pytest.fixture(scope="session")
def without_medkd():
    """Runs Python code in a process of its own, in a folder, without medkd; returns what it printed."""

    def run(code: str, folder: Path, *arguments: object) -> str:
        folder.mkdir(exist_ok=True)
        words = [sys.executable, "-c", WITHOUT_MEDKD + code, *map(str, arguments)]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run
