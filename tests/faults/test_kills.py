"""Killed again and again at random moments, and resumed each time: the end is that of an uninterrupted run, bit for bit."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

pytestmark = pytest.mark.slow

WHEN = ("any",) * 6 + ("end",) * 2 + ("save",) * 2  # at any moment, after the last epoch, as a file is half-written
KILLS = len(WHEN)
EPOCH = re.compile(r"epoch (\d+)/(\d+)")
ENDED = "nothing to resume"  # of a training that was whole when it was killed


class Run:
    """One training, started as often as it takes; what each start printed is kept."""

    def __init__(self, words: list[str], output: Path, log: Path) -> None:
        self.words, self.output, self.log = words, output, log

    def start(self) -> subprocess.Popen:
        begun = any((self.output / name).exists() for name in ("config.yaml", "resume.pt"))
        words = [*self.words, "--output_dir", str(self.output), *(["--resume", "True"] if begun else [])]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with self.log.open("w") as out, self.log.with_suffix(".err").open("w") as err:
            return subprocess.Popen([sys.executable, "-m", "medkd", *words], env=environment, stdout=out, stderr=err)

    def errors(self) -> str:
        return self.log.with_suffix(".err").read_text()

    def place(self) -> str:
        """Where in the run it was, by what it had printed."""
        printed = self.log.read_text()
        if ENDED in printed:
            return "test and figures"
        epochs = EPOCH.findall(printed)
        if not epochs:
            return "start-up or first epoch after it"
        return "test and figures" if epochs[-1][0] == epochs[-1][1] else "training"

    def at_its_end(self) -> bool:
        return self.place() == "test and figures"

    def saves(self) -> bool:
        return self.output.is_dir() and any(name.startswith(".partial-") for name in os.listdir(self.output))

    def half_written(self) -> list[str]:
        return sorted(str(path.relative_to(self.output)) for path in self.output.rglob(".partial-*"))


def wait_for(process: subprocess.Popen, moment: float, reached: Callable[[], bool]) -> bool:
    """Until that many seconds after something is reached; False when the process ended before."""
    since = None
    while process.poll() is None:
        if since is None and reached():
            since = time.monotonic()
        if since is not None and time.monotonic() - since >= moment:
            return True
        time.sleep(0.0005)
    return False


def check_end(process: subprocess.Popen, run: Run, number: int) -> None:
    """What a killed process leaves: whole files, and after SIGTERM one line and nothing half-written."""
    code, errors = process.wait(timeout=120), run.errors()
    if number == signal.SIGTERM and code != -signal.SIGTERM:  # that is within the interpreter's own start
        assert code == 143, (code, errors)
        (line,) = errors.strip().splitlines()
        assert line.startswith("medkd: error: stopped by SIGTERM: ") and "--resume True" in line
        # what an earlier SIGKILL left may still be there, if this process had not yet come to sweep it
        assert not [name for name in run.half_written() if f".partial-{process.pid}-" in name]
    else:
        assert code == -number, (code, errors)
        assert errors == ""
    for name in ("resume.pt", "model.pt"):
        if (run.output / name).exists():
            torch.load(run.output / name, weights_only=True)
    if (run.output / "summary.json").exists():
        json.loads((run.output / "summary.json").read_text())


def uninterrupted(run: Run) -> dict[str, float]:
    """Seconds that a run takes, and those of its end, the test and the figures after the last epoch."""
    begun, process = time.monotonic(), run.start()
    assert wait_for(process, 0, run.at_its_end), run.errors()
    trained = time.monotonic()
    assert process.wait() == 0, run.errors()
    return {"any": time.monotonic() - begun, "end": time.monotonic() - trained}


def kill_and_compare(words: list[str], folder: Path, seed: int, assert_equal) -> None:
    whole = Run(words, folder / "whole", folder / "whole.log")
    seconds = uninterrupted(whole)
    draw, when, chains, places = random.Random(seed), list(WHEN), 0, Counter()
    draw.shuffle(when)
    while when:
        run = Run(words, folder / f"broken_{chains}", folder / f"broken_{chains}.log")
        reached = {"any": lambda: True, "end": run.at_its_end, "save": run.saves}
        ended = False
        while not ended:
            number = draw.choice((signal.SIGKILL, signal.SIGTERM))
            process = run.start()
            if when and wait_for(process, draw.uniform(0, seconds.get(when[-1], 0)), reached[when[-1]]):
                process.send_signal(number)
                if ended := process.wait(timeout=120) == 0:
                    continue  # the signal found a process that had just ended
                place = "a save" if when.pop() == "save" else run.place()
                check_end(process, run, number)
                places[f"{number.name}, {place}"] += 1
                print(f"{number.name}, {place}", flush=True)
            else:
                ended = process.wait() == 0
                assert ended, run.errors()
        assert run.half_written() == []
        compare(whole.output, run.output, assert_equal)
        chains += 1
        print("resumed to its end: equal", flush=True)
    times = f"{seconds['any']:.0f} s uninterrupted, of these {seconds['end']:.1f} s after the training"
    print(f"\n{KILLS} kills, {chains} runs compared, {times}: {dict(sorted(places.items()))}")


def compare(whole: Path, broken: Path, assert_equal) -> None:
    for name in ("resume.pt", "model.pt"):
        assert_equal(*(torch.load(folder / name, weights_only=True) for folder in (whole, broken)))
    for name in ("metrics.csv", "summary.json"):
        assert (whole / name).read_text() == (broken / name).read_text()
    predictions = sorted(path.name for path in (whole / "predictions").iterdir())
    assert predictions == sorted(path.name for path in (broken / "predictions").iterdir())
    assert all(
        (whole / "predictions" / n).read_bytes() == (broken / "predictions" / n).read_bytes() for n in predictions
    )


def options(**values: object) -> list[str]:
    return [word for name, value in values.items() for word in (f"--{name}", str(value))]


def test_kills_of_a_distillation(teachers, kits19_data, tmp_path, assert_equal):
    small = options(image_size="[32,32]", teacher_width=2, student_width=2, batch_size=2, max_epochs=8, device="cpu")
    words = ["distill", "kits19", "--method", "hlfd", "--teacher", str(teachers["kits19"]), *small]
    kill_and_compare([*words, "--dataset_dir", str(kits19_data)], tmp_path, 0, assert_equal)


@pytest.mark.skipif("MEDKD_SAMPLE_DATA" not in os.environ, reason="MEDKD_SAMPLE_DATA is not set")
def test_kills_of_a_training_on_real_volumes(tmp_path, assert_equal):
    from medkd.data_prep import nifti

    source = Path(os.environ["MEDKD_SAMPLE_DATA"]) / "ct_sarcoma"
    cases = sorted(path.name.removesuffix(".nii.gz") for path in (source / "labelsTr").glob("*.nii.gz"))[:6]
    split = tmp_path / "split.json"
    split.write_text(json.dumps({"training": cases[:4], "validation": cases[4:5], "test": cases[5:]}))
    with pytest.warns(UserWarning, match="in no split"):
        nifti.prepare(source / "imagesTr", source / "labelsTr", tmp_path / "data", split=split, classes="tumour")
    small = options(image_size="[64,64]", student_width=4, max_epochs=6, device="cpu", seed=1)
    words = ["train", "nifti", "--dataset_dir", str(tmp_path / "data"), *small]
    kill_and_compare(words, tmp_path, 1, assert_equal)
    learnt = torch.load(tmp_path / "whole/resume.pt", weights_only=True)["objects"]["network"]
    assert all(np.isfinite(value.float().numpy()).all() for value in learnt.values())
