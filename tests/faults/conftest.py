"""How a fault is tested: exit code, the one line, and that no file in reach has changed."""

import os
import re
import resource
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medkd.cli.main import main

AFFINE = np.diag([-1.0, -1.0, 2.0, 1.0])


def listing(folder: Path) -> dict[str, tuple]:
    """Everything in a folder, hidden files too: kind, size, time of change; where a link leads."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(root, name)
            status = os.lstat(path)
            link = os.readlink(path) if os.path.islink(path) else ""
            # a folder's own time changes with what comes and goes in it, temporary names too
            time = 0 if os.path.isdir(path) else status.st_mtime_ns
            found[os.path.relpath(path, folder)] = (status.st_mode, os.path.isdir(path) or status.st_size, time, link)
    return found


def run_main(words) -> int:
    try:
        return main([str(word) for word in words])
    except SystemExit as stop:  # of argparse
        return stop.code


@pytest.fixture
def refused(tmp_path, capfd, medkd_run):
    """Runs a command that must fail with one line of the pattern, and all below tmp_path is as before; the line.

    The code None stands for 1 and 2: which of them is tested in tests/cli/test_exit_codes.py.
    """

    def check(message: str, verb: str, *words: object, code: int | None = None, tiny: bool | None = None) -> str:
        before = listing(tmp_path)
        capfd.readouterr()
        if tiny is None:
            tiny = verb in ("train", "distill", "evaluate", "infer", "figures")
        found = medkd_run(verb, *words) if tiny else run_main([verb, *words])
        errors = capfd.readouterr().err
        assert found == code or (code is None and found in (1, 2)), errors
        lines = [line for line in re.split(r"[\r\n]+", errors) if line.strip()]
        assert len(lines) == 1, errors
        assert lines[0].startswith("medkd: error: ")
        assert re.search(message, lines[0]), lines[0]
        assert listing(tmp_path) == before
        return lines[0]

    return check


@pytest.fixture
def works(capfd, medkd_run):
    """Runs a command that must succeed; what it printed on standard error."""

    def check(verb: str, *words: object) -> str:
        capfd.readouterr()
        tiny = verb in ("train", "distill", "evaluate", "infer", "figures")
        found = medkd_run(verb, *words) if tiny else run_main([verb, *words])
        errors = capfd.readouterr().err
        assert found == 0, errors
        return errors

    return check


def save_volume(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)


@pytest.fixture(scope="session")
def volume():
    return save_volume


@pytest.fixture
def pairs(tmp_path) -> Path:
    """``imagesTr`` and ``labelsTr`` with five good cases, c0 to c4."""
    folder, generator = tmp_path / "raw", np.random.default_rng(0)
    for number in range(5):
        image, labels = generator.integers(-1000, 200, (12, 12, 6)).astype(np.int16), np.zeros((12, 12, 6), np.uint8)
        labels[3:5, 3:6, 2:4], labels[5:6, 3:6, 2:4] = 1, 2
        save_volume(folder / "imagesTr" / f"c{number}.nii.gz", image)
        save_volume(folder / "labelsTr" / f"c{number}.nii.gz", labels)
    return folder


@pytest.fixture
def pictures(tmp_path) -> Path:
    """``images`` and ``masks`` with five good cases, p0 to p4."""
    folder, generator = tmp_path / "raw", np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(5):
        mask = np.zeros((40, 48), np.uint8)
        mask[10:20, 10:20] = 255
        image = generator.integers(0, 255, (40, 48, 3)).astype(np.uint8)
        Image.fromarray(image).save(folder / "images" / f"p{number}.png")
        Image.fromarray(mask).save(folder / "masks" / f"p{number}.png")
    return folder


@pytest.fixture
def disk_of():
    """Within it no file grows beyond that many bytes, as on a full disk: a write fails with EFBIG."""

    @contextmanager
    def limited(size: int):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited
