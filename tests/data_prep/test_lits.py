"""LiTS preparation: layouts as people unzip them, orientation, its two splits, and every refusal in one line."""

import json
import os
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medkd.cli.main import main
from medkd.data import SPLITS, load_datalist, read_volume
from medkd.data_prep import lits
from medkd.phantoms import make_lits

AFFINE = np.array([[-0.7, 0, 0, 30], [0, -0.8, 0, 40], [0, 0, 2.5, 900], [0, 0, 0, 1.0]])  # axes L, P, S
SHAPE = (10, 8, 6)


def arrays(number=0):
    image = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE) - 200 + number
    label = np.zeros(SHAPE, np.uint8)
    label[3:6, 2, 1:4] = 1
    label[6, 5, 4] = 2
    return image, label


def write(array, path, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)


def save(folder, number, suffix=".nii", affine=AFFINE):
    for kind, array in zip(("volume", "segmentation"), arrays(number), strict=True):
        write(array, folder / f"{kind}-{number}{suffix}", affine)


def download(folder, count=6):
    """Both batches, good cases."""
    for number in range(count):
        save(folder / f"Training Batch {1 if number < 2 else 2}", number)
    return folder


def cases_of(target):
    return sorted(entry["case"] for split in SPLITS for entry in load_datalist(target, split))


@pytest.mark.parametrize(
    "place",
    [
        lambda n: f"Training Batch {1 + n % 2}",
        lambda n: f"Training_Batch{1 + n % 2}/media/nas/01_Datasets/CT/LITS",
        lambda n: ".",
        lambda n: f"volume-{n}.nii",
    ],
    ids=["batches", "as unzipped", "one folder", "a folder for each"],
)
def test_layouts(tmp_path, place):
    for number in range(5):
        save(tmp_path / "raw" / place(number), number, (".nii", ".nii.gz")[number % 2])
    (tmp_path / "raw/test").mkdir()
    (tmp_path / "raw/@eaDir").mkdir()
    (tmp_path / "raw/@eaDir/volume-0.nii").touch()
    (tmp_path / "raw/test/test-volume-0.nii").write_bytes(b"no volume: it is never read")
    with pytest.warns(UserWarning, match="^1 test volumes without published masks are left out"):
        summary = lits.prepare(tmp_path / "raw", tmp_path / "out")
    assert summary["cases"] == {"training": 3, "validation": 1, "test": 1}
    assert cases_of(tmp_path / "out") == [f"volume-{number}" for number in range(5)]
    image, affine = read_volume(tmp_path / "out/imagesTr/volume-3.b2nd")
    assert np.array_equal(image, arrays(3)[0].transpose(2, 1, 0)[::-1])  # slices downwards, rows, columns
    assert nib.aff2axcodes(affine) == ("I", "P", "L")
    entry = load_datalist(tmp_path / "out", "test")[0]
    assert entry["spacing"] == [2.5, 0.8, 0.7] and entry["slices_with"] == {"1": [2, 3, 4], "2": [1]}
    datalist = json.loads((tmp_path / "out/datalist.json").read_text())
    assert datalist["labels"] == {"0": "background", "1": "liver", "2": "tumour"}


@pytest.mark.parametrize("folders", [("imagesTr", "labelsTr"), ("images", "masks")])
@pytest.mark.parametrize("name", ["liver_{}", "volume-{}"])
def test_plain_pairs(tmp_path, folders, name):
    for number in range(5):
        for folder, array in zip(folders, arrays(number), strict=True):
            write(array.astype(np.float32), tmp_path / "raw" / folder / f"{name.format(number)}.nii.gz")
    lits.prepare(tmp_path / "raw", tmp_path / "out")
    assert cases_of(tmp_path / "out") == [name.format(number) for number in range(5)]


def test_phantoms_on_differing_axes(tmp_path):
    """Flips that differ between volumes, oblique ones, float and integer HU: one body on one set of axes."""
    make_lits(tmp_path / "raw", cases=6, size=48, slices=(10, 12))
    lits.prepare(tmp_path / "raw", tmp_path / "out")
    for path in sorted((tmp_path / "out/imagesTr").iterdir()):
        image, affine = read_volume(path)
        label = read_volume(tmp_path / "out/labelsTr" / path.name)[0]
        assert image.dtype == np.int16 and nib.aff2axcodes(affine) == ("I", "P", "L")
        assert (label[:, :, :24] > 0).sum() > 2 * (label[:, :, 24:] > 0).sum()  # the liver: right, low columns
        assert (image[:, 32:36, 22:26] > 150).mean() > 0.8  # the spine: behind, high rows
        number = path.stem.removeprefix("volume-")
        original = nib.load(next((tmp_path / "raw").glob(f"*/segmentation-{number}.nii")))
        there = np.rint(np.linalg.inv(original.affine) @ affine @ [*np.argwhere(label)[0], 1])[:3].astype(int)
        assert np.asarray(original.dataobj)[tuple(there)] == label[tuple(np.argwhere(label)[0])]
    entries = {entry["case"]: entry for split in SPLITS for entry in load_datalist(tmp_path / "out", split)}
    assert [case for case in entries if not entries[case]["slices_with"]["2"]] == ["volume-1"]


def test_five_folds(tmp_path):
    source, tested = download(tmp_path / "raw", 11), []
    for fold in range(5):
        lits.prepare(source, tmp_path / str(fold), fold=fold, split="5fold", seed=3)
        split = json.loads((tmp_path / str(fold) / "split.json").read_text())
        assert (split["split"], split["fold"], split["folds"], split["seed"]) == ("5fold", fold, 5, 3)
        assert "held_out" not in split
        tested += split["test"]
    assert sorted(tested) == sorted(f"volume-{number}" for number in range(11))
    lits.prepare(source, tmp_path / "same", split="random", fold=4, seed=3)
    assert json.loads((tmp_path / "same/split.json").read_text())["test"] == split["test"]


def test_61_of_training_and_70_of_test(tmp_path):
    for number in range(131):
        label = np.full((2, 2, 2), number % 3, np.uint8)
        image = np.arange(-4, 4, dtype=np.int16).reshape(2, 2, 2) - number
        write(image, tmp_path / f"raw/volume-{number}.nii")
        write(label, tmp_path / f"raw/segmentation-{number}.nii")
    splits = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        counts = lits.prepare(tmp_path / "raw", tmp_path / name, split="hlfd_61_70", seed=seed)["cases"]
        assert counts == {"training": 55, "validation": 6, "test": 70}
        splits.append(json.loads((tmp_path / name / "split.json").read_text()))
    assert splits[0] == splits[1] and splits[0]["test"] != splits[2]["test"]
    held_out = splits[0]["held_out"]
    assert "70 of 131 cases, drawn by the seed, not the authors' list" in held_out and "6 of 61" in held_out
    (tmp_path / "raw/volume-7.nii").unlink()
    with pytest.raises(ValueError, match="^1 of 131 cases refused, nothing was written: volume-7: no volume-7.nii"):
        lits.prepare(tmp_path / "raw", tmp_path / "d", split="hlfd_61_70")
    lits.prepare(tmp_path / "raw", tmp_path / "d", split="hlfd_61_70", skip_bad=True)
    repaired = json.loads((tmp_path / "d/split.json").read_text())
    assert all(set(splits[0][split]) - set(repaired[split]) <= {"volume-7"} for split in SPLITS)


def test_placeholder_affines_are_named(tmp_path):
    source = download(tmp_path / "raw")
    for number in (28, 31):
        save(source / "Training Batch 2", number, affine=np.eye(4))
    with pytest.warns(UserWarning, match=r"^2 cases have voxels of 1 x 1 x 1 mm \(volume-28, volume-31\)"):
        lits.prepare(source, tmp_path / "out")


def unlink(name):
    return lambda folder: (folder / "Training Batch 2" / name).unlink()


def segmentation(array, affine=AFFINE):
    return lambda folder: write(array, folder / "Training Batch 2/segmentation-4.nii", affine)


def truncate(folder):
    path = folder / "Training Batch 2/volume-4.nii"
    path.write_bytes(path.read_bytes()[:-100])


FAULTS = [
    (segmentation(np.zeros((10, 8, 5), np.uint8)), r"volume-4: image \(10, 8, 6\) and mask \(10, 8, 5\)"),
    (segmentation(arrays()[1], np.diag([0.7, 0.8, 2.5, 1])), "volume-4: affines of image and mask differ"),
    (
        segmentation(arrays()[1] * 2),
        r"volume-4: label values \[4\] in the mask .*segmentation.*, expected only \[0, 1, 2\]",
    ),
    (
        segmentation(arrays()[1] * np.float32(0.5)),
        "volume-4: .* of the mask .*segmentation-4.nii: 0.5 is not a whole number",
    ),
    (unlink("segmentation-4.nii"), r"volume-4: no segmentation-4.nii below .*raw for .*Batch 2/volume-4.nii"),
    (unlink("volume-4.nii"), r"volume-4: no volume-4.nii below .*raw for .*Batch 2/segmentation-4.nii"),
    (truncate, "volume-4: .*volume-4.nii is unreadable or truncated"),
    (
        lambda folder: save(folder / "Training Batch 1", 4, ".nii.gz"),
        r"volume-4: 2 files stand for this case: .*Batch 1/volume-4.nii.gz and .*Batch 2/volume-4.nii; keep one$",
    ),
]


def only_line(capsys):
    """The one line on standard error, the progress bar apart."""
    lines = [line for line in re.split(r"[\r\n]+", capsys.readouterr().err) if line.strip() and "case/s" not in line]
    assert len(lines) == 1 and lines[0].startswith("medkd: error: "), lines
    return lines[0].removeprefix("medkd: error: ")


@pytest.mark.parametrize(("spoil", "message"), FAULTS)
def test_a_bad_case_is_named_in_one_line(tmp_path, capsys, spoil, message):
    source = download(tmp_path / "raw")
    spoil(source)
    assert main(["prepare", "lits", "--source", str(source), "--dataset_dir", str(tmp_path / "out")]) in (1, 2)
    assert re.search(f"^1 of 6 cases refused, nothing was written: {message}", only_line(capsys))
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split", "hlfd_61_70"], "raw: 6 labelled cases, --split hlfd_61_70 expects the 131 of LiTS"),
        (["--split", "5fold", "--fold", "5"], "--fold 5: found 5 folds, expected 0 to 4"),
        (["--split", "5fold", "--folds", "3"], "--folds 3: expected 5 with --split 5fold"),
        (["--split", "3fold"], "--split 3fold: neither 5fold, hlfd_61_70, random, sorted nor an existing JSON"),
        (["--split", "5"], "--split 5: neither 5fold, hlfd_61_70, random, sorted nor an existing JSON"),
        (["--fold", "1.5"], "fold: found 1.5, expected a whole number from 0 on"),
        (["--seed", "-1"], "seed: found -1, expected a whole number from 0 on"),
        (["--split", "LIST"], "list.json: no such case: volume-9"),
        (["--label_values", "kits19"], "--label_values: found 'kits19', expected one of lits, tumour, organ"),
        (["--folds", "9", "--split", "random"], "6 patients cannot be split into 9 folds.*expected at least 9"),
    ],
)
def test_a_wrong_option_is_named_in_one_line(tmp_path, capsys, options, message):
    source, split = download(tmp_path / "raw"), tmp_path / "list.json"
    split.write_text(json.dumps({"training": ["volume-0"], "validation": ["volume-1"], "test": ["volume-9"]}))
    options = [str(split) if word == "LIST" else word for word in options]
    assert main(["prepare", "lits", "--source", str(source), "--dataset_dir", str(tmp_path / "out"), *options]) in (
        1,
        2,
    )
    assert re.search(message, only_line(capsys))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.json", "raw"]


def test_sources_without_labelled_cases(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/test-volume-3.nii").touch()
    with pytest.raises(ValueError, match=r"expected volume-<n>.nii and .*; found 1 test volumes without masks"):
        lits.prepare(tmp_path / "raw", tmp_path / "out")
    (tmp_path / "raw/test-volume-3.nii").rename(tmp_path / "raw/scan.nii")
    with pytest.raises(ValueError, match=r"or imagesTr/ \+ labelsTr/ or images/ \+ masks/; found none of them"):
        lits.prepare(tmp_path / "raw", tmp_path / "out")
    save(tmp_path / "raw", 0)
    (tmp_path / "raw/segmentation-0.nii").unlink()
    with pytest.raises(ValueError, match="1 patient cannot be split"):
        lits.prepare(tmp_path / "raw", tmp_path / "out")


def test_masks_that_know_no_tumour(tmp_path):
    source = download(tmp_path / "raw")
    for path in source.glob("*/segmentation-*.nii"):
        write((np.asarray(nib.load(path).dataobj) > 0).astype(np.uint8), path)
    with pytest.raises(ValueError, match=r"no mask holds the value 2 \(tumour\)"):
        lits.prepare(source, tmp_path / "out")
    lits.prepare(source, tmp_path / "out", label_values="organ")
    assert load_datalist(tmp_path / "out", "test")[0]["slices_with"] == {"1": [1, 2, 3, 4]}


@pytest.mark.skipif("MEDKD_SAMPLE_DATA" not in os.environ, reason="MEDKD_SAMPLE_DATA is not set")
def test_a_real_liver_on_other_axes(tmp_path):
    """One scan of L, A, S, turned as other volumes of LiTS are: one store, liver right of and before the spine."""
    folder = Path(os.environ["MEDKD_SAMPLE_DATA"]) / "ct_liver"
    for kind, name in (("volume", "imagesTr"), ("segmentation", "labelsTr")):
        file = nib.load(folder / name / "ircad_e17.nii.gz")
        for number, axes in enumerate(("LAS", "LPS", "RAS")):
            to = nib.orientations.axcodes2ornt(axes)
            turned = file.as_reoriented(nib.orientations.ornt_transform(nib.io_orientation(file.affine), to))
            (tmp_path / "raw").mkdir(exist_ok=True)
            nib.save(turned, tmp_path / f"raw/{kind}-{number}.nii")
    # one scan three times is one patient: the two others are there to be split
    make_lits(tmp_path / "others", cases=2, size=48, slices=(8, 10))
    for file in (tmp_path / "others").rglob("*-?.nii*"):
        kind, _, rest = file.name.partition("-")
        file.rename(tmp_path / f"raw/{kind}-{int(rest[0]) + 3}{rest[1:]}")
    lits.prepare(tmp_path / "raw", tmp_path / "out", split="random", folds=3)
    assert len({entry["patient"] for split in SPLITS for entry in load_datalist(tmp_path / "out", split)}) == 3
    stores = [
        [read_volume(tmp_path / f"out/{k}/volume-{n}.b2nd")[0] for n in range(3)] for k in ("imagesTr", "labelsTr")
    ]
    for store in stores:
        assert np.array_equal(store[0], store[1]) and np.array_equal(store[0], store[2])
    image, label = stores[0][0], stores[1][0]
    original = nib.load(folder / "imagesTr/ircad_e17.nii.gz")  # columns to the left already, rows forwards, slices up
    assert np.array_equal(image, np.asarray(original.dataobj).transpose(2, 1, 0)[::-1, ::-1])
    bone = np.argwhere(image[60:] > 500).mean(0)
    liver = np.argwhere(label[60:] > 0).mean(0)
    assert liver[1] < bone[1] and liver[2] < bone[2]
