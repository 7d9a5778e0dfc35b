"""Whole runs of two processes, started by torchrun as a user starts them: one writer, gathered cases, restart, early stop."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from medkd.configs.bundles import BUNDLES
from medkd.networks import UNet

WORDS = {
    "image_size": "[32,32]",
    "teacher_width": 2,
    "student_width": 4,
    "batch_size": 1,
    "device": "cpu",
    "learning_rate": 1e-4,
}

EPOCHS = 4


def command(task, overlays, **options):
    files = [BUNDLES / task / "configs/train.yaml"]
    # an absolute path stays what it is
    files += [BUNDLES / "overlays" / name for name in (*overlays, "multi_gpu_train.yaml")]
    launch = ["-m", "torch.distributed.run", "--standalone", "--nnodes=1", "--nproc_per_node=2", "-m", "monai.bundle"]
    flags = [word for name, value in {**WORDS, **options}.items() for word in (f"--{name}", str(value))]
    return [sys.executable, *launch, "run", "--config_file", str([str(file) for file in files]), *flags]


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def run(*args, **options):
    return subprocess.run(command(*args, **options), env=environment(), capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """An overlay: students start with weights that find lesions in half of all pixels, so that there are figures to compare."""
    folder = tmp_path_factory.mktemp("begun")
    torch.manual_seed(3)
    network, noise = UNet(2, 3, 2, width=4), torch.rand(4, 3, 32, 32) * 2 - 1
    for _ in range(30):  # for the statistics of its norms
        network(noise)
    logits = network.eval()(noise)
    network.head.bias.data[1] += (logits[:, 0] - logits[:, 1]).median().detach()
    torch.save(network.state_dict(), folder / "model.pt")
    (folder / "begun.yaml").write_text(
        f"begun: {folder}/model.pt\nnetwork: $networks.load_weights(@network_def, @begun).to(@device)\n"
    )
    return folder / "begun.yaml"


@pytest.fixture(scope="module")
def options(data, teachers):
    task = "cvc_endoscene"
    method = {"method": "fitnet", "method_args::weight": 0.01}  # with an adaptor
    test = {"metrics": "[nsd, ece, lesions]", "min_volume": 20}
    return {"dataset_dir": data[task], "teacher": teachers[task], "max_epochs": EPOCHS, **method, **test}


@pytest.fixture(scope="module")
def whole(options, begun, tmp_path_factory):
    """A student of two processes, and what they said."""
    folder = tmp_path_factory.mktemp("two") / "whole"
    done = run("cvc_endoscene", ["distill.yaml", begun], **options, output_dir=folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_one_process_writes_and_prints(whole):
    folder, output = whole
    assert "2 processes, gloo" in output
    assert re.findall(r"fitnet epoch (\d)/", output) == [str(epoch + 1) for epoch in range(EPOCHS)]
    assert len(re.findall(r"polyp \[whole\]", output)) == 1
    writers = {path.name.split(".")[-2] for path in folder.glob("events.out.tfevents.*")}
    assert len(writers) == 1
    assert {"config.yaml", "environment.json", "resume.pt", "metrics.csv"} <= {path.name for path in folder.iterdir()}
    assert len(list((folder / "overlays").iterdir())) == 3
    assert len(list((folder / "predictions").iterdir())) == len(pd.read_csv(folder / "metrics.csv"))


def test_gathered_metrics_are_those_of_one_process(whole, options, medkd_run, tmp_path):
    folder, _ = whole
    words = ["--model", folder, "--dataset_dir", options["dataset_dir"], "--student_width", 4]
    test = ["--metrics", "nsd,ece,lesions", "--min_volume", 20]
    assert medkd_run("evaluate", "cvc_endoscene", *words, *test, "--output_dir", tmp_path / "test") == 0
    for name in ("metrics.csv", "summary.json", "calibration.json"):
        assert (tmp_path / "test" / name).read_text() == (folder / name).read_text()
    assert pd.read_csv(folder / "metrics.csv")["dice"].max() > 0.05  # figures to compare
    words += ["--output_dir", tmp_path / "validation", "--part", "validation"]
    assert medkd_run("evaluate", "cvc_endoscene", *words) == 0
    table = pd.read_csv(tmp_path / "validation/metrics.csv")
    best = torch.load(folder / "resume.pt", weights_only=True)["best"]["metric"]
    assert len(table) > 2 and best == pytest.approx(table["dice"].mean(), abs=1e-6)


def kill_second(launcher: int) -> None:
    """SIGKILL for the process of rank 1."""
    for pid in Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split():
        if b"\0RANK=1\0" in Path(f"/proc/{pid}/environ").read_bytes():
            return os.kill(int(pid), signal.SIGKILL)
    raise AssertionError("no process of rank 1")


@pytest.mark.slow
def test_a_killed_process_ends_the_run_which_goes_on_bit_for_bit(whole, options, begun, tmp_path):
    words = {**options, "output_dir": tmp_path / "broken"}
    with (tmp_path / "errors").open("w") as errors:
        process = subprocess.Popen(
            command("cvc_endoscene", ["distill.yaml", begun], **words),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        for line in process.stdout:
            if f"epoch 2/{EPOCHS}" in line:
                time.sleep(0.2)
                break
        kill_second(process.pid)
        assert process.wait(timeout=60) != 0
    (line,) = [text for text in (tmp_path / "errors").read_text().splitlines() if text.startswith("medkd: error")]
    stopped = torch.load(tmp_path / "broken/resume.pt", weights_only=True)["trainer"]["epoch"]
    assert re.search(r"a process of this run ended \(process 0 sees: .+\): the run goes on with --resume True", line)
    assert f"from epoch {stopped + 1} of {EPOCHS}" in line and stopped < EPOCHS

    done = run("cvc_endoscene", ["distill.yaml", begun], **words, resume=True)
    assert done.returncode == 0, done.stderr
    assert f"epoch {stopped + 1}/" in done.stdout and f"epoch {stopped}/" not in done.stdout
    for name in ("resume.pt", "model.pt"):
        first, second = (torch.load(folder / name, weights_only=True) for folder in (whole[0], tmp_path / "broken"))
        assert_equal(first, second)
    for name in ("metrics.csv", "summary.json"):
        assert (whole[0] / name).read_text() == (tmp_path / "broken" / name).read_text()


def assert_equal(a, b):
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        a, b = list(a.values()), list(b.values())
    if isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_equal(x, y)
    else:
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def test_an_early_stop_ends_both(kits19_data, tmp_path):
    # one validation case: each process takes it. A learning rate of 0 never improves the first validation.
    words = {"dataset_dir": kits19_data, "output_dir": tmp_path / "run", "learning_rate": 0.0, "batch_size": 2}
    done = run("kits19", [], **words, max_epochs=9, patience=1)
    assert done.returncode == 0, done.stderr
    assert torch.load(tmp_path / "run/resume.pt", weights_only=True)["trainer"]["epoch"] < 9
    assert (tmp_path / "run/metrics.csv").exists()


def test_what_is_wrong_with_a_command_is_said_once(whole, options, begun):
    done = run("cvc_endoscene", ["distill.yaml", begun], **options, output_dir=whole[0])
    assert done.returncode != 0
    assert done.stderr.count("medkd: error:") == 1 and "already holds results" in done.stderr
