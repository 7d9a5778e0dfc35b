"""Faults of prepared data, options and folders of a run: one line, and nothing new is in reach."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from filelock import lock_descriptor

from medkd.cli.main import main


def edit_list(change):
    def spoil(folder):
        path = folder / "datalist.json"
        path.write_text(json.dumps(change(json.loads(path.read_text()))))

    return spoil


def leak(datalist):
    datalist["test"][0]["patient"] = datalist["training"][0]["patient"]
    return datalist


def leak_image(datalist):
    datalist["test"][0]["image"] = "./" + datalist["training"][0]["image"]
    return datalist


def spoil_files(part, change):
    return lambda folder: [file.write_bytes(change(file.read_bytes())) for file in sorted((folder / part).iterdir())]


DATA = {
    "gone": (shutil.rmtree, "dataset_dir .*: no such folder"),
    "not prepared": (lambda f: (f / "datalist.json").unlink(), "no datalist.json in it; run `medkd prepare`"),
    "a list that is no JSON": (lambda f: (f / "datalist.json").write_text("{"), "datalist.json: not valid JSON"),
    "a list of another kind": (edit_list(lambda d: []), "datalist.json: holds a list, expected an object"),
    "a patient in two parts": (edit_list(leak), r"patient \S+ is in training \(case \S+\) and in test \(case \S+\)"),
    "an image in two parts": (
        edit_list(leak_image),
        r"image \S+ is in training \(case \S+\) and in test \(case \S+\)",
    ),
    "an empty part": (edit_list(lambda d: {**d, "training": []}), "the split 'training' is empty"),
    "an entry that lacks a key": (
        edit_list(lambda d: {**d, "training": [{"image": "x"}]}),
        "datalist.json: the entry .* lacks one of case, image, label, patient",
    ),
    "a label that is gone": (
        lambda folder: next((folder / "labelsTr").iterdir()).unlink(),
        "the label of case .* is missing",
    ),
    "truncated stores": (spoil_files("imagesTr", lambda b: b[:50]), "imagesTr/case_0000.*not a readable volume store"),
    "empty stores": (spoil_files("labelsTr", lambda b: b""), "labelsTr/case_0000.*not a readable volume store"),
}


@pytest.mark.parametrize("name", DATA)
def test_training_on_spoilt_data(name, kits19_data, refused, tmp_path):
    spoil, message = DATA[name]
    shutil.copytree(kits19_data, tmp_path / "data")
    spoil(tmp_path / "data")
    options = ["--dataset_dir", tmp_path / "data", "--output_dir", tmp_path / "new/output"]
    refused(message, "train", "kits19", *options)


def test_pictures_that_were_exchanged_after_preparation(cvc_data, refused, tmp_path):
    from PIL import Image

    shutil.copytree(cvc_data, tmp_path / "data")
    for file in (tmp_path / "data/images").iterdir():
        Image.open(file).convert("L").save(file)
    options = ["--dataset_dir", tmp_path / "data", "--output_dir", tmp_path / "output"]
    refused(r"images/\S+.png: 1 channel in .*, expected 3", "train", "cvc_endoscene", *options)


def test_bad_data_in_a_worker_is_one_line_too(kits19_data, refused, tmp_path):
    shutil.copytree(kits19_data, tmp_path / "data")
    spoil_files("imagesTr", lambda content: content[:50])(tmp_path / "data")
    options = ["--dataset_dir", tmp_path / "data", "--output_dir", tmp_path / "output", "--num_workers", 1]
    refused(r"imagesTr/case_0000\d.b2nd: not a readable volume store", "train", "kits19", *options)


OPTIONS = [
    (["--max_epoch", 3], r"unknown option\(s\): --max_epoch \(did you mean --max_epochs"),
    (["--train::trainer::clip_nrom", 1], r"--train::trainer::clip_nrom \(did you mean --train::trainer::clip_norm"),
    (["--max_epochs", "null"], "--max_epochs: found None, expected a whole number from 1 on"),
    (["--max_epochs", "many"], "--max_epochs: found 'many', expected a whole number from 1 on"),
    (["--max_epochs", 0], "--max_epochs: found 0, expected a whole number from 1 on"),
    (["--batch_size", 2.5], "--batch_size: found 2.5, expected a whole number from 1 on"),
    (["--image_size", 32], r"--image_size: found 32, expected a list such as \[64,64\]"),
    (["--window", "[300,-200]"], r"--window: found \[300, -200\], expected the lowest and the highest"),
    (["--output_dir", 7], "--output_dir: found 7, expected a path: write ./7"),
    (["--target", "liver"], "target 'liver' is unknown, expected one of tumour, organ, both"),
    (["--method", "kdd"], "unknown method 'kdd': did you mean kd"),
    (["--method", "hlfd", "--method_args::betta", 1], "method hlfd has no argument 'betta': did you mean beta"),
    (["--teacher", "nowhere"], "--teacher nowhere: no such file or folder"),
    (["--teacher_width", 4], r"teacher .*model.pt: weights of another network, \d+ tensors do not fit UNetPlusPlus"),
    (["--overlay", "nowhere.yaml"], "nowhere.yaml: no such file"),
    (["stray", "words"], "unexpected positional argument"),
]


@pytest.mark.parametrize(
    ("options", "message"), OPTIONS, ids=lambda v: " ".join(map(str, v)) if type(v) is list else ""
)
def test_distilling_with_wrong_options(options, message, teachers, kits19_data, refused, tmp_path):
    words = ["--teacher", teachers["kits19"], "--dataset_dir", kits19_data, "--output_dir", tmp_path / "output"]
    refused(message, "distill", "kits19", *words, *options)


@pytest.mark.parametrize("missing", ["dataset_dir", "output_dir"])
def test_folders_must_be_named(missing, refused, tmp_path):
    options = {"dataset_dir": tmp_path, "output_dir": tmp_path}
    del options[missing]
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    refused(f"medkd train kits19 needs --{missing}", "train", "kits19", *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "kits20"], "task: found 'kits20', expected one of .*kits19"),
        (["infer", "--model", "."], "task: found none, and no record beside --model . names it"),
        (["trian", "kits19"], "verb: found 'trian', expected one of .*did you mean train"),
        (["train", "kits19", "--role", "boss"], "--role: found 'boss', expected one of student"),
        (["train", "kits19", "--mode", "4d"], "--mode: found '4d', expected one of 2d"),
        ([], "verb: found none, expected one of prepare"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_words_that_no_parser_knows(words, message, capfd):
    assert main(words) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert line.startswith("medkd: error: ")
    import re

    assert re.search(message, line), line


def test_volumes_of_a_task_of_pictures(cvc_data, refused, tmp_path):
    words = ["--mode", "3d", "--dataset_dir", cvc_data, "--output_dir", tmp_path / "output"]
    refused("--mode 3d: cvc_endoscene is a task of pictures, it has no volumes", "train", "cvc_endoscene", *words)


FIGURES = [
    (
        "figures",
        ["cvc_endoscene", "--runs", "{'a': 'nowhere'}"],
        "run a: no metrics.csv in nowhere, expected the folder",
    ),
    ("figures", ["cvc_endoscene", "--runs", "a"], "runs: found 'a', expected names and values"),
    ("figures", ["cvc_endoscene"], "medkd figures needs --run .* or --teacher"),
    ("report", ["--runs", "a"], "--runs: found 'a', expected titles and folders"),
    ("report", ["--runs", "{'a': ['nowhere']}"], "nowhere.*(no metrics.csv|no such|expected the folder)"),
    ("report", ["--runs", "{}"], "--runs: found '{}', expected titles and folders"),
]


@pytest.mark.parametrize(("verb", "words", "message"), FIGURES)
def test_figures_and_reports_of_nothing(verb, words, message, cvc_data, refused, tmp_path):
    data = ["--dataset_dir", cvc_data] if verb == "figures" else []
    refused(message, verb, *words, *data, "--output_dir", tmp_path / "output")


def test_a_second_run_into_the_folder(teachers, kits19_data, refused, tmp_path):
    shutil.copytree(teachers["kits19"], tmp_path / "run")
    words = ["kits19", "--role", "teacher", "--dataset_dir", kits19_data, "--output_dir", tmp_path / "run"]
    refused(r"run already holds results \(model.pt\): choose another folder, or go on with --resume", "train", *words)
    refused(r"run already holds results \(metrics.csv\): choose another folder", "evaluate", *words)
    (tmp_path / "file").write_text("mine")
    refused("output_dir .*file: is a file, expected a folder", "train", *words, "--output_dir", tmp_path / "file")


def test_two_runs_at_once_into_the_folder(kits19_data, refused, tmp_path):
    (tmp_path / "run").mkdir()
    other = os.open(tmp_path / "run", os.O_RDONLY)  # as another process has it
    assert lock_descriptor(other)
    words = ["kits19", "--dataset_dir", kits19_data, "--output_dir", tmp_path / "run"]
    refused("output_dir .*run: another run is writing into it: choose another folder", "train", *words)
    os.close(other)


def test_sigterm_in_training_says_how_to_go_on(kits19_data, medkd_run, works, tmp_path, capfd, monkeypatch):
    from medkd.handlers import BestModel

    def terminated(self, evaluator):
        os.kill(os.getpid(), signal.SIGTERM)

    words = ["--dataset_dir", kits19_data, "--output_dir", tmp_path / "run"]
    with monkeypatch.context() as patch:
        patch.setattr(BestModel, "__call__", terminated)  # a moment in the first epoch
        assert medkd_run("train", "kits19", *words) == 143
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert line == "medkd: error: stopped by SIGTERM: the run goes on with --resume True from its start of 1"
    assert not list((tmp_path / "run").glob(".partial-*"))
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    works("train", "kits19", *words, "--resume", "True")
    assert (tmp_path / "run/metrics.csv").is_file()


def test_a_folder_that_somebody_fills_meanwhile_does_not_hide_the_error(tmp_path):
    from medkd.data_prep._target import complete_or_absent

    (tmp_path / "raw").mkdir()
    with pytest.raises(ValueError, match="the reason"):
        with complete_or_absent(tmp_path / "raw", tmp_path / "new/data", overwrite=False):
            (tmp_path / "new/other").mkdir()
            raise ValueError("the reason")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["other"]


MONAI_RUNS = """import runpy, sys
for words in {commands}:
    sys.argv = ["monai.bundle", "run", *words]
    try:
        runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
    except Exception:
        sys.excepthook(*sys.exc_info())
"""


def test_plain_monai_bundle_run_ends_in_one_line_too(kits19_data, tmp_path):
    """Two commands in one process: each start of the interpreter imports MONAI anew."""
    output = tmp_path / "output"
    words = ["--config_file", "['bundles/kits19/configs/train.yaml']", "--bundle_root", "bundles/kits19"]
    words += ["--dataset_dir", str(kits19_data), "--output_dir", str(output)]
    commands = [[*words, "--max_epoch", "3"], [*words, "--dataset_dir", str(tmp_path / "none")]]
    done = subprocess.run(
        [sys.executable, "-c", MONAI_RUNS.format(commands=commands)],
        capture_output=True,
        text=True,
        cwd=os.path.dirname(os.path.dirname(os.path.dirname(__file__))),
    )
    first, second = [line for line in done.stderr.splitlines() if line.startswith("medkd: error: ")]
    assert "unknown option(s): --max_epoch (did you mean --max_epochs" in first
    assert "none: no such folder" in second
    assert "Traceback" not in done.stderr
    assert not output.exists()
