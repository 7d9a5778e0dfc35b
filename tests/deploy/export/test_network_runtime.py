"""A network in another form answers as plain torch does, or plain torch is used, and that is told."""

import subprocess
import sys

import pytest
import torch

from medkd.cli.verb import Command
from medkd.cli.verbs import infer
from medkd.configs.merge import merge_files
from medkd.deploy.export import network_in_runtime, network_runtime
from medkd.deploy.runtime.runtimes import RUNTIMES, installed_runtimes
from medkd.networks import ResNetFCN, UNet
from medkd.phantoms import make_nifti

NETWORKS = {"slices": (ResNetFCN, 2, (32, 48)), "volumes": (UNet, 3, (16, 32, 16))}


def make(kind):
    build, dims, size = NETWORKS[kind]
    torch.manual_seed(0)
    return build(dims, 1, 2, width=2), size


@pytest.mark.parametrize(("kind", "runtime"), [("slices", "onnxruntime"), ("volumes", "openvino")])
def test_a_runtime_answers_as_torch_does(kind, runtime):
    if runtime not in installed_runtimes():
        pytest.skip(f"{runtime} is not installed")
    network, size = make(kind)
    faster = network_in_runtime(network, runtime, size)
    assert faster is not network
    with torch.inference_mode():
        for batch in (1, 3):
            windows = torch.randn(batch, 1, *(2 * edge for edge in size))
            torch.testing.assert_close(faster(windows).softmax(1), network(windows).softmax(1), atol=1e-5, rtol=0)


def test_compiled(monkeypatch):
    calls = []
    monkeypatch.setattr(
        torch, "compile", lambda network, dynamic: lambda images: calls.append(images.shape) or network(images)
    )
    network, size = make("slices")
    faster = network_in_runtime(network, "compile", size)
    assert torch.equal(faster(torch.ones(2, 1, 32, 32)), network(torch.ones(2, 1, 32, 32)))
    assert calls == [(1, 1, *size), (2, 1, 32, 32)]


@pytest.mark.slow
def test_really_compiled():
    network, size = make("slices")
    window = torch.rand(1, 1, *size)
    with torch.inference_mode():
        faster = network_in_runtime(network, "compile", size)
        assert faster is not network
        torch.testing.assert_close(faster(window).softmax(1), network(window).softmax(1), atol=1e-5, rtol=0)


def test_a_compiler_that_stops_is_one_line(monkeypatch):
    def stop(network, dynamic):
        def call(images):
            raise RuntimeError("no compiler\nwas found")

        return call

    monkeypatch.setattr(torch, "compile", stop)
    with pytest.raises(ValueError, match=r"--runtime compile: torch.compile stopped \(no compiler was found\)"):
        network_in_runtime(make("slices")[0], "compile", (32, 48))


def test_another_answer_is_told_and_not_used(monkeypatch, capsys):
    monkeypatch.setattr(torch, "compile", lambda network, dynamic: lambda images: network(images + 0.1))
    network, size = make("slices")
    assert network_in_runtime(network, "compile", size) is network
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("note: --runtime compile: found probabilities that differ by ") and "plain torch" in line


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_missing_package_is_named(monkeypatch, runtime):
    monkeypatch.setattr("medkd.deploy.export.exporting.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=f"--runtime {runtime} needs onnx, onnxscript, {runtime}: pip install -e "):
        network_in_runtime(make("slices")[0], runtime, (32, 48))


def test_an_unknown_one_is_named():
    with pytest.raises(ValueError, match="--runtime: found tensorrt, expected torch, compile, onnxruntime, openvino"):
        network_in_runtime(make("slices")[0], "tensorrt", (32, 48))


def test_the_option_adds_the_overlay(monkeypatch):
    commands = []
    monkeypatch.setattr(infer, "compose_checked", lambda command, required: commands.append(command))
    monkeypatch.setattr(infer, "run_bundle", lambda run, work: None)
    monkeypatch.setattr("medkd.cli.direct_inference.is_direct", lambda run: False)
    for runtime in network_runtime.TORCH_RUNTIMES:
        infer.VERB.run(Command("infer", "kits19", {"runtime": runtime, "overlay": ["mine.yaml"]}, {"input": "a"}))
    plain, *others = commands
    assert plain.settings["overlay"] == ["mine.yaml"] and plain.options == {"input": "a"}
    for command, runtime in zip(others, network_runtime.TORCH_RUNTIMES[1:], strict=True):
        overlay, mine = command.settings["overlay"]
        assert mine == "mine.yaml" and command.options == {"input": "a", "runtime": runtime}
        assert merge_files([overlay])["network"]["_target_"] == "medkd.deploy.export.network_in_runtime"


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["compile", "onnxruntime"])
def test_by_command_the_labels_are_those_of_plain_torch(tmp_path, runtime):
    """The compiler needs a C++ compiler, as torch does."""
    if runtime == "onnxruntime" and runtime not in installed_runtimes():
        pytest.skip(f"{runtime} is not installed")
    make_nifti(tmp_path / "raw", cases=6, size=32, slices=(8, 9))
    data = ["--dataset_dir", tmp_path / "data"]
    pairs = ["--images", tmp_path / "raw/images", "--labels", tmp_path / "raw/labels"]
    medkd("prepare", "nifti", *pairs, "--classes", "kidney", *data)
    tiny = ["--image_size", "32", "32", "--student_width", "2", "--max_epochs", "1", "--device", "cpu"]
    medkd("train", "nifti", *tiny, *data, "--output_dir", tmp_path / "run")
    use = ["--model", tmp_path / "run", "--input", tmp_path / "raw/images/patient_00.nii.gz"]
    medkd("infer", *use, "--output_dir", tmp_path / "plain")
    medkd("infer", *use, "--output_dir", tmp_path / runtime, "--runtime", runtime)
    files = [tmp_path / folder / "patient_00.nii.gz" for folder in ("plain", runtime)]
    assert files[0].read_bytes() == files[1].read_bytes()


def medkd(*words):
    done = subprocess.run([sys.executable, "-m", "medkd", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0 and "plain torch" not in done.stdout, done.stdout + done.stderr
