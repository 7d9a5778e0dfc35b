"""`medkd pack` itself: what it says of a trained student, and its one line for each thing that it refuses."""

import json
import re
import shutil
import subprocess
import sys

import pytest
import torch
import yaml

from medkd.networks import UNet


@pytest.fixture(scope="module")
def student(teachers, kits19_data, medkd_run, tmp_path_factory):
    """A run of `medkd distill`."""
    folder = tmp_path_factory.mktemp("students") / "kd"
    words = ["--method", "kd", "--method_args::temperature", 2.0, "--teacher", teachers["kits19"]]
    data = ["--dataset_dir", kits19_data, "--output_dir", folder]
    assert medkd_run("distill", "kits19", *words, *data) == 0
    return folder


@pytest.fixture(scope="module")
def bundle(student, medkd_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed_run") / "tumour_segmentation"
    assert medkd_run("pack", "kits19", "--model", student, "--output_dir", folder, tiny=False) == 0
    return folder


def read(bundle, name):
    return json.loads((bundle / "configs" / name).read_text())


def test_the_values_of_the_training_are_baked_in(bundle, student):
    inference, train = read(bundle, "inference.json"), read(bundle, "train.json")
    for config in (inference, train):
        expected = {"target": "tumour", "window": [-200, 300], "image_size": [32, 32], "student_width": 2, "mode": "2d"}
        assert {name: config[name] for name in expected} == expected
    assert train["max_epochs"] == 1 and train["method"] == "none"
    assert read(bundle, "distill.json")["method"] == "kd"
    assert read(bundle, "distill.json")["method_args"] == {"temperature": 2.0}
    form = read(bundle, "metadata.json")["network_data_format"]
    assert form["outputs"]["pred"]["channel_def"] == {"0": "background", "1": "tumour"}
    trained, packed = (torch.load(path / "model.pt", weights_only=True) for path in (student, bundle / "models"))
    assert trained.keys() == packed.keys() and all(torch.equal(trained[name], packed[name]) for name in trained)


def test_the_page_tells_of_the_training_and_of_no_path(bundle, student):
    text = (bundle / "docs/README.md").read_text()
    assert "| method | kd |" in text and "| method_args | {'temperature': 2.0} |" in text
    dice = json.loads((student / "summary.json").read_text())["tumour"]["dice"]
    assert f"| tumour | dice | {dice['mean']:.4f} | {dice['std']:.4f} | {dice['n']} |" in text
    for path in bundle.rglob("*"):
        if path.is_file() and path.suffix != ".pt":
            assert str(student.parents[1]) not in path.read_text(), path


def test_our_own_commands_take_the_packed_model_as_it_was_trained(bundle, medkd_run, kits19_data, tmp_path, capsys):
    words = ["--model", bundle / "models/model.pt", "--dataset_dir", kits19_data, "--device", "cpu"]
    assert medkd_run("evaluate", "kits19", *words, "--output_dir", tmp_path / "again", tiny=False) == 0
    wrong = ["--window", "[0,100]", "--output_dir", tmp_path / "wrong"]
    assert medkd_run("evaluate", "kits19", *words, *wrong, tiny=False) in (1, 2)
    assert "was trained with --window [-200, 300]" in capsys.readouterr().err
    assert (
        medkd_run("pack", "kits19", "--model", bundle / "models", "--output_dir", tmp_path / "twice", tiny=False) == 0
    )


def test_no_path_of_the_record_is_on_the_page(student, medkd_run, tmp_path):
    record = yaml.safe_load((student / "config.yaml").read_text())
    shutil.copytree(student, tmp_path / "run")
    own = {"own_list": "/home/somebody/list.txt", "own_files": ["C:\\data\\a.yaml", "b"]}
    (tmp_path / "run/config.yaml").write_text(yaml.safe_dump({**record, **own}))
    assert medkd_run("pack", "kits19", "--model", tmp_path / "run", "--output_dir", tmp_path / "o", tiny=False) == 0
    text = (tmp_path / "o/docs/README.md").read_text()
    assert "own_list" not in text and "own_files" not in text


def edited(student, folder, **changes):
    """A copy of the run whose record says something else."""
    shutil.copytree(student, folder)
    record = yaml.safe_load((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump({**record, **changes}))
    return folder


def test_where_a_training_was_tracked_is_its_own(student, medkd_run, tmp_path):
    run = edited(student, tmp_path / "run", mlflow="our_runs")
    assert medkd_run("pack", "kits19", "--model", run, "--output_dir", tmp_path / "o", tiny=False) == 0
    assert read(tmp_path / "o", "train.json")["mlflow"] is None
    texts = [path for path in (tmp_path / "o").rglob("*") if path.is_file() and path.suffix != ".pt"]
    assert not [path for path in texts if "our_runs" in path.read_text()]


def one_line(capsys):
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line]
    return line


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda run, tmp: [], "medkd pack kits19 needs --model"),
        (lambda run, tmp: ["--model", tmp / "none"], r"--model \S+none: no such file or folder"),
        (lambda run, tmp: ["--model", tmp], r"model \S+model.pt: no such file, expected the model.pt"),
        (lambda run, tmp: ["--model", run, "--windw", 3], r"unknown option\(s\): --windw \(did you mean --window\?"),
        (lambda run, tmp: ["--model", run, "stray"], r"unexpected positional argument\(s\) stray"),
        (lambda run, tmp: ["--model", run, "--window", "[0,1]"], r"was trained with --window \[-200, 300\]"),
        (
            lambda run, tmp: ["--model", run, "--mode", "3d"],
            r"is a network of slices \(it was trained with --mode 2d\)",
        ),
        (lambda run, tmp: ["--model", run, "--input", "x"], "--input: is chosen when the packed bundle is used"),
        (
            lambda run, tmp: ["--model", edited(run, tmp / "t", method="teacher")],
            "is a teacher: medkd pack takes students",
        ),
        (
            lambda run, tmp: ["--model", edited(run, tmp / "l", bundle_root="/a/lits")],
            "found a model of the task lits, expected one of kits19",
        ),
        (lambda run, tmp: ["--model", edited(run, tmp / "w", student_width=4)], "weights of another network"),
    ],
)
def test_what_cannot_be_packed_is_told_in_one_line(student, medkd_run, tmp_path, monkeypatch, capsys, made, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    words = made(student, tmp_path / "empty")
    before = sorted(tmp_path.iterdir())
    assert medkd_run("pack", "kits19", *words, tiny=False) in (1, 2)
    assert re.search(message, one_line(capsys))
    assert sorted(tmp_path.iterdir()) == before


def test_a_teachers_folder_is_refused(teachers, medkd_run, tmp_path, capsys):
    for task, folder in teachers.items():
        assert medkd_run("pack", task, "--model", folder, "--output_dir", tmp_path / "out", tiny=False) in (1, 2)
        assert "is a teacher: medkd pack takes students alone" in one_line(capsys)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no weights", "not a readable file of weights"),
        ([1, 2], "holds list, expected the state dict of a ResNetFCN"),
        (UNet(2, 1, 2, width=2).state_dict(), "weights of another network"),
    ],
)
def test_files_that_are_no_students(student, medkd_run, tmp_path, capsys, content, message):
    shutil.copy(student / "config.yaml", tmp_path)
    if isinstance(content, bytes):
        (tmp_path / "model.pt").write_bytes(content)
    else:
        torch.save(content, tmp_path / "model.pt")
    assert medkd_run("pack", "kits19", "--model", tmp_path, "--output_dir", tmp_path / "out", tiny=False) in (1, 2)
    assert message in one_line(capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "model.pt"]


@pytest.mark.parametrize(
    ("task", "mode", "missing"),
    [
        ("kits19", "2d", "--target --window --image_size --student_width"),
        ("nifti", "3d", "--target --window --patch_size --spacing --student_width --classes --per_case"),
        ("cvc_endoscene", None, "--image_size --student_width"),
    ],
)
def test_without_a_record_the_options_must_be_given(weights, medkd_run, tmp_path, capsys, task, mode, missing):
    words = ["--model", weights(task, mode or "2d")[0], "--output_dir", tmp_path / "out"]
    assert medkd_run("pack", task, *words, *(["--mode", mode] if mode else []), tiny=False) in (1, 2)
    line = one_line(capsys)
    assert "no config.yaml beside it says what it was trained with: give" in line
    assert set(line.partition(": give ")[2].split()) == set(missing.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("taken", ["out", "out.zip"])
def test_nothing_is_overwritten(student, medkd_run, tmp_path, capsys, taken):
    (tmp_path / taken).mkdir()
    assert medkd_run("pack", "kits19", "--model", student, "--output_dir", tmp_path / "out", tiny=False) in (1, 2)
    assert f"{taken}: is there already: choose another folder" in one_line(capsys)
    assert [path.name for path in tmp_path.iterdir()] == [taken]


def test_a_fault_while_writing_leaves_nothing(student, medkd_run, tmp_path, monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zipfile.ZipFile.writestr", full)
    assert medkd_run("pack", "kits19", "--model", student, "--output_dir", tmp_path / "out", tiny=False) in (1, 2)
    assert "No space left on device" in one_line(capsys)
    assert not list(tmp_path.iterdir())


def test_the_bundle_says_what_its_packer_says(student, medkd_run, tmp_path, capsys):
    words = ["--model", student, "--output_dir", tmp_path / "o", "--version", "1.2.0", "--authors", "A. Author"]
    words += ["--copyright", "(c) A. Author", "--task_name", "Kidney lesions", "--inference_only"]
    assert medkd_run("pack", "kits19", *words, tiny=False) == 0
    metadata = read(tmp_path / "o", "metadata.json")
    given = {"version": "1.2.0", "authors": "A. Author", "copyright": "(c) A. Author", "task": "Kidney lesions"}
    assert {name: metadata[name] for name in given} == given and "1.2.0" in metadata["changelog"]
    dice = json.loads((student / "summary.json").read_text())["tumour"]["dice"]["mean"]
    assert metadata["eval_metrics"]["tumour_dice"] == pytest.approx(dice, abs=1e-4)
    assert {path.name for path in (tmp_path / "o/configs").iterdir()} == {
        "inference.json",
        "logging.conf",
        "metadata.json",
    }
    assert medkd_run("pack", "kits19", "--model", student, "--version", "v1", tiny=False) in (1, 2)
    assert "--version: found 'v1', expected three numbers such as 1.0.0" in capsys.readouterr().err
    assert medkd_run("pack", "kits19", "--model", student, "--authors", "$print(1)", tiny=False) in (1, 2)
    assert "--authors: found '$print(1)'" in capsys.readouterr().err


def test_equal_models_give_equal_bytes_and_a_killed_pack_is_repeated(student, tmp_path):
    """Killed between the zip and the folder: the zip is known as a leftover; another zip of that name is not touched."""
    code = "import os, sys; from medkd.deploy.bundle import pack\n"
    killed = code + "os.rename = lambda *_: os.kill(os.getpid(), 9)\n"
    call = "pack('kits19', {'model': sys.argv[1], 'output_dir': sys.argv[2]})"
    folder = tmp_path / "out_segmentation"

    def run(text):
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", text, student, folder], capture_output=True, text=True
        )

    assert run(killed + call).returncode == -9
    archive = tmp_path / "out_segmentation.zip"
    first = archive.read_bytes()
    assert not folder.exists()
    assert run(code + call).returncode == 0
    assert archive.read_bytes() == first and {path.name for path in tmp_path.iterdir()} == {folder.name, archive.name}
    shutil.rmtree(folder)
    assert "out_segmentation.zip: is there already" in run(code + call).stderr and archive.read_bytes() == first
