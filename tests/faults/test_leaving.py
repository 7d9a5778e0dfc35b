"""Faults of what leaves: pack, export, and inference with an exported file. One line, and nothing is half-written."""

import json
import os
import re
import shutil
import signal

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from medkd.cli.main import main
from tests.faults.test_models import MODELS

FILES = {"torchscript": "student.ts", "onnx": "student.onnx", "onnx-int8": "student_int8.onnx"}


@pytest.fixture
def folder(students, tmp_path):
    """A copy of a student of slices as its run left it."""
    return shutil.copytree(students["slices"][1], tmp_path / "run")


def leave(verb, folder, output, data, form="torchscript", task="kits19"):
    """The words of a command that would succeed with a good model."""
    more = ["--dataset_dir", data, "--format", form] if verb == "export" else []
    return [task, "--model", folder, "--output_dir", output, *more]


# what is told of a file is the same for both verbs: each file with one of them, files with code in them with both
NAMES = ("missing", "empty", "truncated", "other classes", "NaN", "a whole network")
PAIRS = [(("export", "pack")[number % 2], name) for number, name in enumerate(NAMES)]
PAIRS += [(verb, name) for verb in ("export", "pack") for name in ("code", "a pickle of code")]


@pytest.mark.parametrize(("verb", "name"), PAIRS)
def test_a_model_that_cannot_leave(verb, name, folder, kits19_data, refused, tmp_path):
    spoil, message = MODELS[name]
    spoil(folder, torch.load(folder / "model.pt", weights_only=True))
    refused(message, verb, *leave(verb, folder, tmp_path / "new/out", kits19_data))
    assert not (tmp_path / "executed").exists()


def test_a_teacher_and_the_model_of_another_task_are_not_exported(teachers, students, data, refused, tmp_path):
    words = leave("export", teachers["kits19"], tmp_path / "out", data["kits19"])
    refused("kits19 is a teacher: medkd export takes students alone", "export", *words)
    for name in ("model.pt", "config.yaml"):
        shutil.copy(students["slices"][1] / name, tmp_path)
    record = (tmp_path / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(record.replace("bundle_root: .", "bundle_root: bundles/kits19"))
    words = leave("export", tmp_path, tmp_path / "out", data["cvc_endoscene"], task="cvc_endoscene")
    refused("--model .*: found a model of the task kits19, expected one of cvc_endoscene", "export", *words)


def test_data_that_does_not_fit_the_model(folder, kits19_data, cvc_data, refused, tmp_path):
    (tmp_path / "empty").mkdir()
    out = tmp_path / "new/out"
    refused("no datalist.json in it; run `medkd prepare`", "export", *leave("export", folder, out, tmp_path / "empty"))
    words = leave("export", folder, out, kits19_data)
    refused("was trained with --target tumour, this command has organ", "export", *words, "--target", "organ")
    refused(r"is a network of slices .*this command is of volumes", "export", *words, "--mode", "3d")
    shutil.copytree(kits19_data, tmp_path / "data")
    for label in (tmp_path / "data/labelsTr").iterdir():
        label.write_bytes(label.read_bytes()[:50])
    words = leave("export", folder, out, tmp_path / "data")
    refused("labelsTr/case_0000.*not a readable volume store", "export", *words)
    refused(
        r"found a data set of pictures \(prepared for cvc_endoscene\), expected volumes",
        "export",
        *leave("export", folder, out, cvc_data),
    )


@pytest.mark.parametrize("verb", ["export", "pack"])
def test_places_that_are_taken_or_closed(verb, folder, kits19_data, refused, ordinary_user, tmp_path):
    (tmp_path / "file").write_text("mine")
    refused("file", verb, *leave(verb, folder, tmp_path / "file", kits19_data))
    refused("file", verb, *leave(verb, folder, tmp_path / "file/out", kits19_data))
    (tmp_path / "closed").mkdir(mode=0o555)
    (tmp_path / "hidden").mkdir()
    shutil.copytree(folder, tmp_path / "hidden/run")
    (tmp_path / "hidden/run/model.pt").chmod(0)
    with ordinary_user():
        refused("Permission denied: .*closed", verb, *leave(verb, folder, tmp_path / "closed/out", kits19_data))
        words = leave(verb, tmp_path / "hidden/run", tmp_path / "out", kits19_data)
        refused("model.pt: not a readable file of weights: Permission denied", verb, *words)


def test_a_report_that_is_there_already(folder, kits19_data, refused, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/student.ts.json").touch()
    message = "student.ts.json is there already: choose another folder"
    refused(message, "export", *leave("export", folder, tmp_path / "out", kits19_data))


@pytest.mark.parametrize(("verb", "form"), [("export", "torchscript"), ("export", "onnx"), ("pack", "torchscript")])
def test_a_full_disk(verb, form, folder, kits19_data, refused, disk_of, tmp_path):
    (tmp_path / "out").mkdir()
    with disk_of(4000):  # what is written of the smallest student is more than that
        words = leave(verb, folder, tmp_path / "out/tumour_segmentation", kits19_data, form)
        line = refused("File too large|is the disk full", verb, *words)
    assert str(tmp_path / "out") in line


def interrupt(number):
    def stopped(*_, **__):
        os.kill(os.getpid(), number)
        signal.pause()

    return stopped


MOMENTS = {
    "export": "medkd.deploy.export.exporting.compare",
    "pack": "medkd.deploy.bundle.publishing._write_zip",
}  # all but the last is written


@pytest.mark.parametrize("verb", MOMENTS)
def test_stopped_in_the_middle(verb, folder, kits19_data, refused, works, monkeypatch, tmp_path):
    """SIGTERM leaves nothing. SIGKILL leaves what nobody takes for a result, and the next command removes it."""
    (tmp_path / "out").mkdir()
    words = leave(verb, folder, tmp_path / "out/tumour_segmentation", kits19_data)
    if verb == "export":
        words = leave(verb, folder, tmp_path / "out", kits19_data)
    with monkeypatch.context() as patch:
        patch.setattr(MOMENTS[verb], interrupt(signal.SIGTERM))
        refused("stopped by SIGTERM", verb, *words, code=143)
        patch.setattr(MOMENTS[verb], interrupt(signal.SIGKILL))
        if (child := os.fork()) == 0:
            signal.alarm(60)
            os._exit(main([verb, *map(str, words)]))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    (left,) = os.listdir(tmp_path / "out")
    assert ".partial-" in left
    works(verb, *words)
    made = {"export": ["student.ts", "student.ts.json"], "pack": ["tumour_segmentation", "tumour_segmentation.zip"]}
    assert sorted(os.listdir(tmp_path / "out")) == made[verb]


def described(change):
    """The file with another description in it."""

    def spoil(path, file):
        import onnx

        model = onnx.load(file)
        onnx.helper.set_model_props(model, {"medkd": change(json.loads(model.metadata_props[0].value))})
        onnx.save(model, path)

    return spoil


ONNX = {
    "empty": (lambda path, file: path.write_bytes(b""), "x.onnx: not a readable ONNX file"),
    "text": (lambda path, file: path.write_text("weights " * 50), "x.onnx: not a readable ONNX file"),
    "short by some bytes": (
        lambda path, file: path.write_bytes(file.read_bytes()[:-300]),
        "x.onnx: not (a readable ONNX file|exported by medkd)",
    ),
    "a folder": (lambda path, file: path.mkdir(), "x.onnx: no such file"),
    "no JSON": (described(lambda about: "{"), "x.onnx: .*(Expecting|JSON)"),
    "a list": (described(lambda about: "[]"), "x.onnx: written by another version of medkd: list is not as expected"),
    "lacking": (
        described(lambda about: json.dumps({k: v for k, v in about.items() if k != "clip"})),
        r"x.onnx: written by another version of medkd: \['clip'\] is not as expected",
    ),
    "another rule": (
        described(lambda about: json.dumps({**about, "decide": "sigmoid"})),
        "x.onnx: decide: found 'sigmoid', expected argmax",
    ),
}


@pytest.mark.parametrize("name", ONNX)
def test_a_file_that_is_no_exported_student(name, exported, pairs, refused, tmp_path):
    spoil, message = ONNX[name]
    spoil(tmp_path / "x.onnx", exported["slices"])
    words = ["--model", tmp_path / "x.onnx", "--input", pairs / "imagesTr", "--output_dir", tmp_path / "out"]
    exported_refused(refused, message, words)


def exported_refused(refused, message, words):
    """`infer` without a task: the words of tests' tiny networks say nothing to an exported one."""
    return refused(message, "infer", *words, tiny=False)


def test_an_exported_file_that_may_not_be_read_or_written(exported, pairs, refused, ordinary_user, tmp_path, capfd):
    shutil.copy(exported["slices"], tmp_path / "x.onnx")
    (tmp_path / "x.onnx").chmod(0)
    (tmp_path / "closed").mkdir(mode=0o555)
    source = ["--input", pairs / "imagesTr/c0.nii.gz"]
    with ordinary_user():
        words = ["--model", tmp_path / "x.onnx", *source, "--output_dir", tmp_path / "out"]
        exported_refused(refused, "Permission denied: .*x.onnx", words)
        (tmp_path / "x.onnx").chmod(0o644)
        words = ["--model", tmp_path / "x.onnx", *source, "--output_dir", tmp_path / "closed/out"]
        assert main(["infer", *map(str, words)]) in (1, 2)
    (line,) = capfd.readouterr().err.strip().splitlines()  # told before any case is read
    assert "Permission denied" in line and "closed" in line
    assert os.listdir(tmp_path / "closed") == []


def spoilt(folder, kind, volume):
    """A folder with a good image and bad ones of that kind: name of each -> what is told of it."""
    folder.mkdir()
    if kind == "pictures":
        good = np.random.default_rng(0).integers(0, 255, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(good).save(folder / "good.png")
        (folder / "empty.png").write_bytes(b"")
        (folder / "text.png").write_text("no picture " * 50)
        (folder / "short.png").write_bytes((folder / "good.png").read_bytes()[:-2000])
        Image.fromarray(good).save(folder / "two.png", save_all=True, append_images=[Image.fromarray(255 - good)])
        unreadable = "unreadable or truncated"
        return {"empty": unreadable, "short": unreadable, "text": unreadable, "two": "2 pages or frames"}
    volume(folder / "good.nii.gz", np.zeros((12, 12, 6), np.int16))
    volume(folder / "flat.nii.gz", np.zeros((12, 12), np.int16))
    volume(folder / "four.nii.gz", np.zeros((12, 12, 6, 2), np.int16))
    infinite = np.zeros((12, 12, 6), np.float32)
    infinite[0, 0, 0] = np.inf
    volume(folder / "inf.nii.gz", infinite)
    (folder / "void.nii.gz").write_bytes(b"")
    return {
        "flat": r"\(12, 12\), expected three axes",
        "four": r"\(12, 12, 6, 2\), expected three axes",
        "inf": "1 voxel with NaN or infinity",
        "void": r"found an empty file \(0 bytes\)",
    }


@pytest.mark.parametrize("kind", ["slices", "pictures"])
def test_bad_images_are_named_and_the_good_one_is_done(kind, exported, volume, tmp_path, capfd):
    messages = spoilt(tmp_path / "in", kind, volume)
    words = ["--model", exported[kind], "--input", tmp_path / "in", "--output_dir", tmp_path / "out"]
    assert main(["infer", *map(str, words)]) in (1, 2)
    *lines, last = capfd.readouterr().err.strip().splitlines()
    assert len(lines) == len(messages)
    for line, (name, message) in zip(lines, messages.items(), strict=True):
        assert f"/{name}." in line and re.search(message, line), line
    assert last == f"medkd: error: {len(messages)} of {len(messages) + 1} cases failed: {', '.join(messages)}"
    names = {path.name.split(".")[0] for path in (tmp_path / "out").iterdir()}
    assert names == {"good", "volumes", *(["itksnap_labels"] if kind == "slices" else [])}


def test_inputs_that_are_none(exported, pairs, refused, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "scan.txt").write_text("no image")
    (tmp_path / "done").mkdir()
    (tmp_path / "done/c1.nii.gz").write_text("mine")
    scans = pairs / "imagesTr"
    for source, output, message in (
        (tmp_path / "gone", "o", "gone: no such file or folder"),
        (tmp_path / "empty", "o", "empty: no file that ends in .nii.gz, .nii"),
        (tmp_path / "scan.txt", "o", "scan.txt: a suffix that is not read, expected one of .nii.gz, .nii"),
        (scans, scans, "is the folder of the input: predictions would overwrite the images"),
        (scans, "done", "c1.nii.gz is there already: choose another folder"),
        (scans, "scan.txt", "scan.txt: is a file, expected a folder"),
    ):
        words = ["--model", exported["slices"], "--input", source, "--output_dir", tmp_path / output]
        exported_refused(refused, message, words)


def test_odd_images_are_done(exported, volume, tmp_path):
    source, out = tmp_path / "Fälle 日", tmp_path / "aus ü"
    shapes = {"eine Schicht äöü": (12, 14, 1), "4-D of one": (12, 14, 6, 1), "1x1": (1, 1, 3)}
    for name, shape in shapes.items():
        volume(source / f"{name}.nii.gz", np.random.default_rng(0).integers(-1000, 300, shape).astype(np.int16))
    words = ["--model", exported["slices"], "--input", source, "--output_dir", out]
    assert main(["infer", *map(str, words)]) == 0
    for name, shape in shapes.items():
        assert nib.load(out / f"{name}.nii.gz").shape == shape


def test_pictures_of_any_mode_are_read_as_rgb(exported, pictures, tmp_path):
    folder = tmp_path / "Bilder ü"
    folder.mkdir()
    grey = Image.open(pictures / "images/p0.png").convert("L")
    grey.convert("RGB").save(folder / "rgb.png")
    grey.convert("RGBA").save(folder / "rgba.png")
    grey.save(folder / "grey.png")
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(folder / "sixteen.png")
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(folder / "one pixel.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # viewers turn it by 90 degrees: rgb.png again
    grey.convert("RGB").transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png", exif=exif)
    words = ["--model", exported["pictures"], "--input", folder, "--output_dir", tmp_path / "out"]
    assert main(["infer", *map(str, words), "--save_probabilities", "True"]) == 0
    found = {path.stem: np.asarray(Image.open(path)) for path in (tmp_path / "out").glob("*_probabilities.png")}
    first = found["rgb_probabilities"]
    assert len(np.unique(first)) > 1  # else nothing was compared
    for name in ("rgba", "grey", "sixteen", "turned"):
        assert np.array_equal(first, found[f"{name}_probabilities"]), name
    assert np.asarray(Image.open(tmp_path / "out/one pixel.png")).shape == (1, 1)
