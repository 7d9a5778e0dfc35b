"""Bad input, as a user meets it: one clear line, exit code 1, nothing half-written."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from medkd.__main__ import main

AFFINE = np.diag([-1.0, -1.0, 2.0, 1.0])


def volume(path, array, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)


def pairs(folder, count=5):
    """A plain pair of folders with good cases."""
    generator = np.random.default_rng(0)
    for number in range(count):
        labels = np.zeros((12, 12, 6), np.uint8)
        labels[3:6, 3:6, 2:4] = 2
        volume(folder / "imagesTr" / f"c{number}.nii.gz", generator.integers(-100, 200, (12, 12, 6)).astype(np.int16))
        volume(folder / "labelsTr" / f"c{number}.nii.gz", labels)
    return folder


def image_without_mask(folder):
    (folder / "labelsTr/c1.nii.gz").unlink()


def mask_of_another_shape(folder):
    volume(folder / "labelsTr/c1.nii.gz", np.zeros((12, 12, 5), np.uint8))


def mask_on_another_grid(folder):
    volume(folder / "labelsTr/c1.nii.gz", np.zeros((12, 12, 6), np.uint8), np.diag([1.0, 1.0, 2.0, 1.0]))


def label_value_outside(folder):
    labels = np.zeros((12, 12, 6), np.uint8)
    labels[0, 0, 0] = 7
    volume(folder / "labelsTr/c1.nii.gz", labels)


def voxel(value):
    def spoil(folder):
        image = np.zeros((12, 12, 6), np.float32)
        image[1, 2, 3] = value
        volume(folder / "imagesTr/c1.nii.gz", image)

    return spoil


def four_axes(folder):
    volume(folder / "imagesTr/c1.nii.gz", np.zeros((12, 12, 6, 2), np.int16))


def truncated(folder, part="imagesTr"):
    path = folder / part / "c1.nii.gz"
    path.write_bytes(path.read_bytes()[:-200])


PREPARE_FAULTS = [
    (image_without_mask, "c1: .*mask"),
    (mask_of_another_shape, r"c1: .*\(12, 12, 5\).*\(12, 12, 6\)|c1: .*\(12, 12, 6\).*\(12, 12, 5\)"),
    (mask_on_another_grid, "c1: .*affine"),
    (label_value_outside, "c1: .*7.*expected"),
    (voxel(np.nan), "c1: .*NaN"),
    (voxel(np.inf), "c1: .*inf"),
    (four_axes, r"c1: .*\(12, 12, 6, 2\)"),
    (truncated, "c1: .*(truncated|end-of-stream|unreadable|cannot be read|not readable)"),
    (lambda folder: shutil.rmtree(folder), "no such folder"),
    (lambda folder: [f.unlink() for f in folder.rglob("*.nii.gz")], "raw: no cases found"),
]


BAR = re.compile(r"(case|it)/s\]|\?(it|case)")


def only_line(capsys):
    """The one line on standard error, progress bars apart."""
    text = capsys.readouterr().err
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip() and not BAR.search(line)]
    assert len(lines) == 1, text
    assert lines[0].startswith("medkd: error: ")
    return lines[0]


@pytest.mark.parametrize(("spoil", "message"), PREPARE_FAULTS, ids=lambda v: getattr(v, "__name__", None))
def test_prepare_names_the_case_and_writes_nothing(tmp_path, capsys, spoil, message):
    source, target = pairs(tmp_path / "raw"), tmp_path / "out" / "data"
    spoil(source)
    assert main(["prepare", "kits19", "--source", str(source), "--dataset_dir", str(target)]) == 1
    assert re.search(message, only_line(capsys))
    assert not target.exists()
    assert not target.parent.exists() or not list(target.parent.iterdir())


def test_prepare_lists_every_refused_case(tmp_path, capsys):
    source = pairs(tmp_path / "raw")
    image_without_mask(source)
    (source / "imagesTr/c3.nii.gz").write_bytes(b"")
    assert main(["prepare", "kits19", "--source", str(source), "--dataset_dir", str(tmp_path / "data")]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip() and not BAR.search(line)]
    assert "2 of 5 cases refused, nothing was written" in lines[0]
    assert [line.split(":")[0] for line in lines[1:]] == ["c1", "c3"]


def test_prepare_refuses_masks_that_know_no_tumour(tmp_path, capsys):
    source = pairs(tmp_path / "raw")
    for path in (source / "labelsTr").iterdir():
        labels = np.asarray(nib.load(path).dataobj)
        volume(path, (labels > 0).astype(np.uint8))
    options = ["prepare", "kits19", "--source", str(source), "--dataset_dir", str(tmp_path / "data")]
    assert main(options) == 1
    assert "no mask holds the value 2 (tumour), nothing was written" in only_line(capsys)
    assert main([*options, "--label_values", "tumour"]) == 0


def test_prepare_with_a_patient_on_both_sides_of_the_split(tmp_path, capsys):
    source, split = pairs(tmp_path / "raw"), tmp_path / "split.json"
    split.write_text(json.dumps({"training": ["c0", "c1", "c2"], "validation": ["c3"], "test": ["c4", "c1"]}))
    options = ["--source", str(source), "--dataset_dir", str(tmp_path / "data"), "--split", str(split)]
    assert main(["prepare", "kits19", *options]) == 1
    assert re.search(r"split.json: .*c1", only_line(capsys))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--source", "x"], "medkd prepare kits19 needs --dataset_dir"),
        (["--source", "x", "--dataset_dir", "y", "--seed", "one"], "--seed: found 'one', expected a number"),
        (["--source", "x", "--dataset_dir", "y", "--target", "tumour"], r"unknown option\(s\): --target"),
        (["--sorce", "x", "--dataset_dir", "y"], r"unknown option\(s\): --sorce \(did you mean --source"),
    ],
)
def test_prepare_options(capsys, options, message):
    assert main(["prepare", "kits19", *options]) == 1
    assert re.search(message, only_line(capsys))


def leak(folder):
    path = folder / "datalist.json"
    datalist = json.loads(path.read_text())
    datalist["test"][0]["patient"] = datalist["training"][0]["patient"]
    path.write_text(json.dumps(datalist))


def empty_part(folder):
    path = folder / "datalist.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "training": []}))


DATA_FAULTS = [
    (lambda folder: shutil.rmtree(folder), "dataset_dir .*: no such folder"),
    (lambda folder: (folder / "datalist.json").unlink(), "no datalist.json in it; run `medkd prepare`"),
    (leak, r"patient \S+ is in training \(case \S+\) and in test \(case \S+\)"),
    (empty_part, "the part 'training' is empty"),
    (lambda folder: next((folder / "labelsTr").iterdir()).unlink(), "the label of case .* is missing"),
    (
        lambda folder: [f.write_bytes(f.read_bytes()[:50]) for f in (folder / "imagesTr").iterdir()],
        "imagesTr/case_0000",
    ),
]


@pytest.mark.parametrize(("spoil", "message"), DATA_FAULTS)
def test_training_on_spoilt_data(kits19_data, medkd_run, tmp_path, capsys, spoil, message):
    data, output = tmp_path / "data", tmp_path / "output"
    shutil.copytree(kits19_data, data)
    spoil(data)
    assert medkd_run("train", "kits19", "--dataset_dir", data, "--output_dir", output) == 1
    assert re.search(message, only_line(capsys))
    assert not (output / "model.pt").exists()


OPTION_FAULTS = [
    (["--max_epoch", 3], r"unknown option\(s\): --max_epoch \(did you mean --max_epochs"),
    (["--train::trainer::clip_nrom", 1], r"--train::trainer::clip_nrom \(did you mean --train::trainer::clip_norm"),
    (["--amp", "true"], "--amp true does not mean true to MONAI: write True"),
    (["--max_epochs", "many"], "--max_epochs: found 'many', expected a number"),
    (["--target", "liver"], "target 'liver' is unknown, expected one of tumour, organ, both"),
    (["--method", "kdd"], "unknown method 'kdd': did you mean kd"),
    (["--method", "hlfd", "--method_args::betta", 1], "method hlfd has no argument 'betta': did you mean beta"),
    (["--teacher", "nowhere"], "--teacher nowhere: no such file or folder"),
    (["--teacher_width", 4], r"teacher .*model.pt: weights of another network, \d+ tensors do not fit UNetPlusPlus"),
    (["stray", "words"], "unexpected word"),
]


@pytest.mark.parametrize(("options", "message"), OPTION_FAULTS)
def test_distilling_with_wrong_options(teachers, kits19_data, medkd_run, tmp_path, capsys, options, message):
    output = tmp_path / "output"
    words = ["--teacher", teachers["kits19"], "--dataset_dir", kits19_data, "--output_dir", output, *options]
    assert medkd_run("distill", "kits19", *words) == 1
    assert re.search(message, only_line(capsys))
    assert not output.exists()


def test_bad_data_in_a_worker_is_one_line_too(kits19_data, medkd_run, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(kits19_data, data)
    for file in (data / "imagesTr").iterdir():
        file.write_bytes(file.read_bytes()[:50])
    options = ["--dataset_dir", data, "--output_dir", tmp_path / "output", "--num_workers", 1]
    assert medkd_run("train", "kits19", *options) == 1
    assert re.search(r"imagesTr/case_0000\d.b2nd: not a readable volume store", only_line(capsys))


def test_a_model_used_otherwise_than_trained_is_refused(teachers, kits19_data, medkd_run, tmp_path, capsys):
    words = ["--role", "teacher", "--model", teachers["kits19"], "--output_dir", tmp_path / "o", "--window", "[0,5]"]
    assert medkd_run("evaluate", "kits19", "--dataset_dir", kits19_data, *words) == 1
    assert "was trained with --window [-200, 300], this command has [0, 5]" in only_line(capsys)
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("missing", ["dataset_dir", "output_dir"])
def test_folders_must_be_named(medkd_run, tmp_path, capsys, missing):
    options = {"dataset_dir": tmp_path, "output_dir": tmp_path}
    del options[missing]
    assert medkd_run("train", "kits19", *(w for n, v in options.items() for w in (f"--{n}", v))) == 1
    assert f"medkd train kits19 needs --{missing}" in only_line(capsys)


def test_a_teacher_of_another_window_is_refused(teachers, kits19_data, medkd_run, tmp_path, capsys):
    words = ["--teacher", teachers["kits19"], "--dataset_dir", kits19_data, "--output_dir", tmp_path / "o"]
    assert medkd_run("distill", "kits19", *words, "--window", "[0,5]") == 1
    assert "was trained with --window [-200, 300], this command has [0, 5]" in only_line(capsys)


def test_an_unknown_task_or_verb(capsys):
    for words in (["train", "kits20"], ["trian", "kits19"]):
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 2
        assert "invalid choice" in capsys.readouterr().err


def test_plain_monai_bundle_run_ends_in_one_line_too(kits19_data, tmp_path):
    output = tmp_path / "output"
    for options, message in (
        (["--max_epoch", "3"], "medkd: error: unknown option(s): --max_epoch (did you mean --max_epochs"),
        (["--dataset_dir", str(tmp_path / "none")], "none: no such folder"),
    ):
        words = ["--config_file", "['bundles/kits19/configs/train.yaml']", "--bundle_root", "bundles/kits19"]
        words += ["--dataset_dir", str(kits19_data), "--output_dir", str(output), *options]
        done = subprocess.run(
            [sys.executable, "-m", "monai.bundle", "run", *words],
            capture_output=True,
            text=True,
            cwd=os.path.dirname(os.path.dirname(__file__)),
        )
        assert done.returncode == 1
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("medkd: error: ") and message in last
        assert "Traceback" not in done.stderr
        assert not output.exists()


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    return pairs(tmp_path_factory.mktemp("scans"), 3) / "imagesTr"


INPUT_FAULTS = [
    (voxel(np.nan), "c1.nii.gz: .*NaN"),
    (four_axes, "c1.nii.gz: .*(axes|channels)"),
    (truncated, "c1.nii.gz: .*end-of-stream"),
]


@pytest.mark.parametrize(("spoil", "message"), INPUT_FAULTS, ids=["nan", "4-D", "truncated"])
def test_a_bad_scan_is_named_and_the_others_are_done(teachers, scans, medkd_run, tmp_path, capsys, spoil, message):
    source, output = tmp_path / "imagesTr", tmp_path / "output"
    shutil.copytree(scans, source)
    spoil(tmp_path)
    options = ["--role", "teacher", "--model", teachers["kits19"], "--input", source, "--output_dir", output]
    assert medkd_run("infer", "kits19", *options) == 1
    lines = [line for line in re.split(r"[\r\n]+", capsys.readouterr().err) if "c1" in line and not BAR.search(line)]
    assert len(lines) == 2 and re.search(message, lines[0])
    assert lines[1] == "medkd: error: 1 of 3 cases failed: c1"
    assert sorted(path.name for path in output.iterdir()) == ["c0.nii.gz", "c2.nii.gz"]


def test_inputs_of_inference(teachers, scans, medkd_run, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    text = tmp_path / "scan.txt"
    text.write_text("no image")
    twins = tmp_path / "twins"
    shutil.copytree(scans, twins)
    (twins / "c0.nii").write_bytes(gzip.decompress((twins / "c0.nii.gz").read_bytes()))
    for source, output, message in (
        (tmp_path / "gone", tmp_path / "o", "gone: no such file or folder"),
        (tmp_path / "empty", tmp_path / "o", "empty: no file that ends in .nii.gz, .nii"),
        (text, tmp_path / "o", "scan.txt: suffix not known here, expected one of .nii.gz, .nii"),
        (scans, scans, "is the folder of the input"),
        (twins, tmp_path / "o", "would give the same prediction file"),
    ):
        options = ["--role", "teacher", "--model", teachers["kits19"], "--input", source, "--output_dir", output]
        assert medkd_run("infer", "kits19", *options) == 1
        assert re.search(message, only_line(capsys))
        assert not (tmp_path / "o").exists()
