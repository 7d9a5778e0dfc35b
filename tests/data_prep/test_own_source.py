"""`medkd prepare nifti --source`: the stores of plain folders, names of the file, and every refusal in one line."""

import json
import re

import nibabel as nib
import numpy as np
import pytest

from medkd.cli.main import main
from medkd.data import dataset_property
from medkd.data_prep import nifti

from .described_sources import V2_LABELS, copy_case, decathlon, nnunet, write_case, write_json
from .own_volumes import PROGRESS, entries, make_ct, only_line, save


def run(folder, *options):
    words = ["--source", folder, "--dataset_dir", folder.parent / "out", *options]
    return main(["prepare", "nifti", *map(str, words)])


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.b2nd"))}


def notes(capsys):
    lines = re.split(r"[\r\n]+", capsys.readouterr().err)
    return [line for line in lines if line.strip() and not PROGRESS.search(line)]


def test_the_stores_are_those_of_plain_folders(tmp_path):
    v2, task = nnunet(tmp_path), decathlon(tmp_path)
    plain = {"images": task / "imagesTr", "labels": task / "labelsTr", "classes": "Anterior,Posterior"}
    nifti.prepare(**plain, target=tmp_path / "plain")
    expected = files_of(tmp_path / "plain")
    assert len(expected) == 10
    for folder in (v2, task):
        nifti.prepare(source=folder, target=tmp_path / folder.name / "../out", overwrite=True)
        assert files_of(tmp_path / "out") == expected
        for name in ("split.json", "report.json"):
            assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
        assert dataset_property(tmp_path / "out", "labels") == {"0": "background", "1": "Anterior", "2": "Posterior"}


def test_values_with_gaps_become_classes_in_order(tmp_path):
    folder = decathlon(tmp_path, labels={"0": "background", "3": "b", "1": "a"})
    for path in (folder / "labelsTr").iterdir():
        label = np.asanyarray(nib.load(path).dataobj)
        save(path, np.where(label == 2, 3, label).astype(np.uint8))
    nifti.prepare(source=folder, target=tmp_path / "out")
    assert dataset_property(tmp_path / "out", "labels") == {"0": "background", "1": "a", "2": "b"}


def test_ct_is_kept_by_the_name_of_its_channel(tmp_path, capsys):
    folder = nnunet(tmp_path, channel_names={"0": "CT"})
    assert run(folder) == 0 and dataset_property(tmp_path / "out", "per_case") is False
    assert "note: intensities by the names of the channels: CT: HU, kept" in capsys.readouterr().err
    assert run(folder, "--overwrite", "True", "--modality", "other") == 0
    assert dataset_property(tmp_path / "out", "per_case") is True
    for number in range(5):
        save(folder / f"imagesTr/hc_{number}_0000.nii.gz", make_ct(number)[0])
    write_json(
        folder / "dataset.json", {"channel_names": {"0": "noNorm"}, "labels": V2_LABELS, "file_ending": ".nii.gz"}
    )
    assert run(folder, "--overwrite", "True") == 0 and dataset_property(tmp_path / "out", "per_case") is True


def test_what_was_guessed_or_left_out_is_printed_and_reported(tmp_path, capsys):
    folder = decathlon(tmp_path / "Task04_Hippocampus", 6, numTraining=9)
    copy_case(folder, "hc_7", labels=None)
    copy_case(folder, "hc_8", images="imagesTs", labels=None)
    assert run(tmp_path / "Task04_Hippocampus") == 0
    lines = notes(capsys)
    expected = [
        "note: numTraining: found 9 in dataset.json, there are 6 cases",
        "note: left out: imagesTr, 1 of 7 files (hc_7.nii.gz): they are part of no case",
        "note: left out: imagesTs, 1 of 1 files (hc_8.nii.gz): "
        "images without labels; --unlabelled FOLDER takes some into a distillation",
    ]
    assert set(expected) <= set(lines)
    report = (tmp_path / "out/report.md").read_text()
    assert all(line.removeprefix("note: ") in report for line in expected)
    assert "hc_7" not in entries(tmp_path / "out") and "hc_8" not in entries(tmp_path / "out")


def test_labelled_test_images_are_the_test_split(tmp_path, capsys):
    folder = nnunet(tmp_path)
    for number in (8, 9):
        write_case(folder, [f"imagesTs/hc_{number}_0000.nii.gz"], f"labelsTs/hc_{number}.nii.gz", number)
    assert run(folder) == 0
    split = json.loads((tmp_path / "out/split.json").read_text())
    assert split["test"] == ["hc_8", "hc_9"] and split["split"] == "published" and len(split["validation"]) == 1
    assert any(
        "split: as published; test: 2 cases that the data set has for it; validation: 1" in x for x in notes(capsys)
    )
    assert run(folder, "--split", "random", "--overwrite", "True") == 0
    split = json.loads((tmp_path / "out/split.json").read_text())
    assert "hc_8" not in split["training"] + split["validation"] + split["test"] + split["left_out"]


def test_folds_of_nnunet(tmp_path, capsys):
    folder = nnunet(tmp_path, 6)
    names = [f"hc_{number}" for number in range(6)]
    preprocessed = tmp_path / "nnUNet_preprocessed"
    folds = [{"train": names[k:] + names[: k - 2], "val": names[k - 2 : k]} for k in (2, 4, 6)]
    write_json(preprocessed / folder.name / "splits_final.json", json.dumps(folds))
    assert run(folder, "--split", preprocessed, "--fold", "1") == 0
    split = json.loads((tmp_path / "out/split.json").read_text())
    assert split["test"] == ["hc_2", "hc_3"] and len(split["training"]) == 3 and "val of fold 1" in split["held_out"]
    plain = ["--images", folder / "imagesTr", "--labels", folder / "labelsTr", "--dataset_dir", tmp_path / "plain"]
    split_file = preprocessed / folder.name / "splits_final.json"
    assert main(["prepare", "nifti", *map(str, [*plain, "--split", split_file, "--fold", "1"])]) == 0
    assert json.loads((tmp_path / "plain/split.json").read_text())["test"] == split["test"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--classes", "Posterior,Anterior"],
            "classes: found Posterior, Anterior, expected Anterior, Posterior as in ",
        ),
        (["--images", "x"], "found --source beside --images or --labels, expected --source alone or the two folders"),
        (["--split", "published"], "--split published: "),
        (["--sourse", "x"], "sourse"),
    ],
)
def test_options_that_disagree(tmp_path, capsys, options, words):
    assert run(nnunet(tmp_path, 1), *options) != 0
    assert words in only_line(capsys) and not (tmp_path / "out").exists()


def test_options_that_agree(tmp_path):
    assert run(nnunet(tmp_path), "--classes", "Anterior,Posterior") == 0


def test_channels_that_the_source_does_not_name(tmp_path):
    folder = nnunet(tmp_path, channels=2, channel_names=None)
    nifti.prepare(source=folder, target=tmp_path / "out", channels="a,b")
    assert dataset_property(tmp_path / "out", "modality") == {"0": "a", "1": "b"}
    with pytest.raises(ValueError, match=r"none of 5 cases can be used, as hc_0: 2 channels .*--channels NAME,NAME"):
        nifti.prepare(source=folder, target=tmp_path / "other")


def test_without_any_folder(tmp_path, capsys):
    assert main(["prepare", "nifti", "--dataset_dir", str(tmp_path / "out")]) != 0
    assert only_line(capsys).endswith(
        "needs --images and --labels, or --source DIR for a folder of nnU-Net or of the Decathlon"
    )
    assert main(["prepare", "nifti", "--images", "x", "--dataset_dir", str(tmp_path / "out")]) != 0
    assert only_line(capsys).endswith("medkd prepare nifti needs --labels")
    assert main(["prepare", "nifti", "--source", str(tmp_path)]) != 0
    assert only_line(capsys).endswith("medkd prepare nifti needs --dataset_dir")


def stray_value(folder):
    label = np.asanyarray(nib.load(folder / "labelsTr/hc_1.nii.gz").dataobj).copy()
    label[0, 0, 0] = 7
    save(folder / "labelsTr/hc_1.nii.gz", label)


@pytest.mark.parametrize(
    ("change", "content", "words"),
    [
        (stray_value, {}, "found the value 7 in the masks of hc_1, expected only 1 Anterior, 2 Posterior"),
        (None, {"labels": {**V2_LABELS, "third": 3}}, "no mask holds third (label value 3)"),
        (None, {"labels": {"background": 0, "all": 1, "b": 2}}, "neither empty, all nor background"),
        (None, {"labels": {"background": 0, "@a": 1, "b": 2}}, "must not begin with $, @ or %"),
        (None, {"labels": {**V2_LABELS, "ignore": 3}}, "is an ignore label"),
        (lambda folder: (folder / "dataset.json").unlink(), {}, "no dataset.json in it: name the folders, --images "),
        (
            lambda folder: (folder / "labelsTr/hc_2.nii.gz").unlink(),
            {},
            "1 of 5 cases refused, nothing was written: hc_2: ",
        ),
    ],
)
def test_bad_sources(tmp_path, capsys, change, content, words):
    folder = nnunet(tmp_path, **content)
    if change:
        change(folder)
    assert run(folder) != 0
    assert words in only_line(capsys) and not (tmp_path / "out").exists()


def test_bad_cases_may_be_left_out(tmp_path):
    folder = nnunet(tmp_path, 6)
    stray_value(folder)
    (folder / "labelsTr/hc_2.nii.gz").unlink()
    assert run(folder, "--skip_bad", "True", "--folds", "3") == 0
    refused = json.loads((tmp_path / "out/datalist.json").read_text())["refused"]
    assert list(refused) == ["hc_1", "hc_2"] and "value 7" in refused["hc_1"]


def test_the_source_is_left_alone(tmp_path, capsys):
    folder = nnunet(tmp_path)
    assert main(["prepare", "nifti", "--source", str(folder), "--dataset_dir", str(folder)]) != 0
    assert "holds the source" in only_line(capsys)
