"""KiTS19 preparation: orientation, splits, every refusal, nothing half written."""

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from medkd.data import SPLITS, load_datalist, read_slice, read_volume, split_cases
from medkd.data_prep import kits19
from medkd.phantoms import make_kits19

KITS_AFFINE = np.array([[0, 0, -0.7, 30], [0, -0.8, 0, 40], [-3.0, 0, 0, 900], [0, 0, 0, 1.0]])
SHAPE = (6, 8, 10)


def moved(mm):
    affine = KITS_AFFINE.copy()
    affine[0, 3] += mm
    return affine


def case_arrays():
    image = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE) - 200
    label = np.zeros(SHAPE, np.uint8)
    label[1, 2, 3:6], label[4, 5, 6] = 1, 2
    return image, label


def numbered(image, number):
    """Return the image with the number in its first voxel: equal images under two names are a finding of their own."""
    image = image.copy()
    image[0, 0, 0] = -300 - number
    return image


def save(folder, name, image=None, label=None, affine=KITS_AFFINE, label_affine=None, suffix=".nii.gz"):
    default = case_arrays()
    (folder / name).mkdir(parents=True, exist_ok=True)
    image, label = (
        numbered(default[0], int(name[-5:])) if image is None else image,
        default[1] if label is None else label,
    )
    nib.save(nib.Nifti1Image(image, affine), folder / name / f"imaging{suffix}")
    nib.save(
        nib.Nifti1Image(label, affine if label_affine is None else label_affine),
        folder / name / f"segmentation{suffix}",
    )


def source_of(folder, count=5, **odd_case):
    """A KiTS19 download of good cases, and case_00099 with the given arrays."""
    for number in range(count):
        save(folder / "data", f"case_{number:05d}")
    if odd_case:
        save(folder / "data", "case_00099", **odd_case)
    return folder


def reoriented(array, affine, codes):
    file = nib.Nifti1Image(array, affine)
    turn = nib.orientations.ornt_transform(nib.io_orientation(affine), nib.orientations.axcodes2ornt(codes))
    file = file.as_reoriented(turn)
    return np.asarray(file.dataobj), file.affine


def test_known_voxels_and_entry(tmp_path):
    summary = kits19.prepare(source_of(tmp_path / "source"), tmp_path / "out")
    assert summary["cases"] == {"training": 3, "validation": 1, "test": 1}
    assert summary["refused"] == {} and summary["left_out"] == []
    image, label = case_arrays()
    entries = [entry for split in SPLITS for entry in load_datalist(tmp_path / "out", split)]
    assert sorted(entry["case"] for entry in entries) == [f"case_{n:05d}" for n in range(5)]
    for entry in entries:
        found, affine = read_volume(entry["image"])
        assert found.dtype == np.int16 and np.array_equal(found, numbered(image, int(entry["case"][-5:])))
        assert np.allclose(affine, KITS_AFFINE, atol=1e-6)
        assert read_slice(entry["label"], 4).dtype == np.uint8
        assert np.array_equal(read_volume(entry["label"])[0], label)
        assert entry["spacing"] == [3.0, 0.8, 0.7] and entry["shape"] == [6, 8, 10]
        assert entry["slices_with"] == {"1": [1], "2": [4]}


OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = [[np.cos(0.2), -np.sin(0.2), 0], [np.sin(0.2), np.cos(0.2), 0], [0, 0, 1]]


@pytest.mark.parametrize("tilt", [np.eye(4), OBLIQUE], ids=["straight", "oblique"])
def test_every_orientation_gives_the_same_store(tmp_path, tilt):
    image, label = case_arrays()
    affine = tilt @ KITS_AFFINE
    for number, codes in enumerate(("IPL", "RAS", "LPS", "SLA", "PIR")):
        turned, turned_affine = reoriented(numbered(image, number), affine, codes)
        assert codes == "IPL" or turned.shape != image.shape or not np.array_equal(turned, numbered(image, number))
        save(tmp_path / "source", f"case_{number:05d}", turned, reoriented(label, affine, codes)[0], turned_affine)
    kits19.prepare(tmp_path / "source", tmp_path / "out")
    for number in range(5):
        for kind, expected in (("imagesTr", numbered(image, number)), ("labelsTr", label)):
            found, found_affine = read_volume(tmp_path / "out" / kind / f"case_{number:05d}.b2nd")
            assert np.array_equal(found, expected)
            assert np.allclose(found_affine, affine, atol=1e-4)


def test_phantom_download(tmp_path):
    make_kits19(tmp_path / "source", cases=5, size=48, slices=(10, 12))
    kits19.prepare(tmp_path / "source", tmp_path / "out")
    entry = load_datalist(tmp_path / "out", "test")[0]
    original = nib.load(tmp_path / "source" / "data" / entry["case"] / "imaging.nii.gz")
    found, affine = read_volume(entry["image"])
    assert np.array_equal(found, original.dataobj) and np.allclose(affine, original.affine)
    label = read_volume(entry["label"])[0]
    for value in (1, 2):
        assert entry["slices_with"][str(value)] == [k for k in range(len(label)) if (label[k] == value).any()]


def test_a_wide_case_keeps_its_size(tmp_path):
    """case_00160 is 252 x 512 x 796; the paper's code resizes its slices and not its masks."""
    make_kits19(tmp_path / "source", cases=3, size=32, slices=(8, 9), wide_case=1)
    kits19.prepare(tmp_path / "source", tmp_path / "out", folds=3)
    entries = {entry["case"]: entry for split in SPLITS for entry in load_datalist(tmp_path / "out", split)}
    assert [entries[f"case_0000{n}"]["shape"][1:] for n in range(3)] == [[32, 32], [32, 50], [32, 32]]
    for kind, name in (("image", "imaging"), ("label", "segmentation")):
        original = nib.load(tmp_path / f"source/data/case_00001/{name}.nii.gz")
        assert np.array_equal(read_volume(entries["case_00001"][kind])[0], original.dataobj)


def test_the_papers_168_and_42(tmp_path):
    splits = split_cases({f"case_{n:05d}": f"case_{n:05d}" for n in range(210)})
    assert {split: len(cases) for split, cases in splits.items()} == {"training": 151, "validation": 17, "test": 42}


COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("files", "revision"),
    [
        ({"HEAD": COMMIT}, COMMIT),
        ({"HEAD": "ref: refs/heads/master", "refs/heads/master": COMMIT}, COMMIT),
        ({"HEAD": "ref: refs/heads/master", "packed-refs": f"# pack-refs\n{COMMIT} refs/heads/master"}, COMMIT),
        ({"HEAD": "ref: refs/heads/master", "packed-refs": f"{COMMIT} refs/heads/xmaster"}, None),
        ({}, None),
    ],
    ids=["detached", "branch", "packed", "unborn", "no clone"],
)
@pytest.mark.parametrize("inner", ["", "data"])
def test_the_clones_commit_and_corrected_cases_are_recorded(tmp_path, files, revision, inner):
    source = source_of(tmp_path / "source")
    for number in (15, 125):
        save(source / "data", f"case_{number:05d}")
    for name, content in files.items():
        path = source / ".git" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    kits19.prepare(source / inner, tmp_path / "own")  # some repository of the user's around the data
    (source / "starter_code").mkdir()
    kits19.prepare(source / inner, tmp_path / "clone")
    own, clone = (json.loads((tmp_path / name / "datalist.json").read_text()) for name in ("own", "clone"))
    assert own["revision"] is None and clone["revision"] == revision
    assert clone["corrected_in_december_2019"] == ["case_00015", "case_00125"]


def test_splits_and_split_file(tmp_path):
    source = source_of(tmp_path / "source", 10)
    counts = kits19.prepare(source, tmp_path / "a", split="sorted", fold=1)["cases"]
    assert counts == {"training": 7, "validation": 1, "test": 2}
    split = json.loads((tmp_path / "a" / "split.json").read_text())
    assert split["test"] == ["case_00002", "case_00003"] and split["validation"] == ["case_00000"]
    assert (split["split"], split["fold"], split["folds"], split["seed"]) == ("sorted", 1, 5, 0)
    kits19.prepare(source, tmp_path / "b", split=tmp_path / "a" / "split.json")
    for name in SPLITS:
        assert [e["case"] for e in load_datalist(tmp_path / "b", name)] == split[name]


@pytest.mark.parametrize("folders", [("imagesTr", "labelsTr"), ("images", "masks")])
@pytest.mark.parametrize(("values", "stored"), [("tumour", 2), ("organ", 1)])
def test_plain_pairs(tmp_path, folders, values, stored):
    image, label = case_arrays()
    for folder, array in zip(folders, (image.astype(np.float32), (label == 2).astype(np.float64)), strict=True):
        (tmp_path / "source" / folder).mkdir(parents=True)
        for number, name in enumerate(("p1.nii.gz", "p2.nii", "p10.nii.gz")):
            image = numbered(array, number) if folder == folders[0] else array
            nib.save(nib.Nifti1Image(image, KITS_AFFINE), tmp_path / "source" / folder / name)
    kits19.prepare(tmp_path / "source", tmp_path / "out", split="sorted", folds=3, label_values=values)
    assert load_datalist(tmp_path / "out", "test")[0]["case"] == "p1"
    entry = load_datalist(tmp_path / "out", "training")[0]
    assert entry["case"] == "p10" and entry["slices_with"][str(stored)] == [4]
    assert np.array_equal(read_volume(entry["label"])[0], stored * (label == 2))


def nan_image():
    image = case_arrays()[0].astype(np.float32)
    image[0, 0, 0] = np.nan
    return image


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        ({"image": np.zeros((6, 8, 11), np.int16)}, r"image \(6, 8, 11\) and mask \(6, 8, 10\) have different shapes"),
        (
            {"image": np.zeros((6, 8, 10, 2), np.int16)},
            r"imaging.nii.gz has shape \(6, 8, 10, 2\), expected three axes",
        ),
        ({"label_affine": moved(0.3)}, r"affines .* differ by up to 0.3"),
        (
            {"label": case_arrays()[1] * 3},
            r"label values \[3, 6\] in the mask .*segmentation.*, expected only \[0, 1, 2\]",
        ),
        (
            {"label": case_arrays()[1] * np.float32(0.5)},
            r"mask .*segmentation.nii.gz: 0.5 is not a whole number",
        ),
        (
            {"label": case_arrays()[1].astype(np.int16) * -1},
            "mask .*segmentation.nii.gz: -2|-1 is outside 0 to 255",
        ),
        ({"image": nan_image()}, "imaging.nii.gz: NaN or infinite voxels"),
        ({"image": case_arrays()[0] * np.float32(200)}, "HU of the image: .* is outside -32768 to 32767"),
        ({"image": case_arrays()[0] + np.float32(0.25)}, "HU of the image: .* is not a whole number"),
    ],
)
def test_refused_cases(tmp_path, odd, message):
    source = source_of(tmp_path / "source", **odd)
    with pytest.raises(ValueError, match=rf"^1 of 6 cases refused, nothing was written: case_00099: .*{message}"):
        kits19.prepare(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_tolerances(tmp_path):
    """What scanners' headers and float storage do to whole numbers is no reason to refuse."""
    image = case_arrays()[0] + np.float32(5e-4)
    source = source_of(tmp_path / "source", image=image, label_affine=moved(0.05))
    kits19.prepare(source, tmp_path / "out")
    assert np.array_equal(read_volume(tmp_path / "out" / "imagesTr" / "case_00099.b2nd")[0], case_arrays()[0])


@pytest.mark.parametrize("keep", [40, -9, -60])
def test_truncated_file(tmp_path, keep):
    source = source_of(tmp_path / "source", image=np.random.default_rng(0).integers(0, 9, SHAPE, dtype=np.int16))
    path = source / "data" / "case_00099" / "imaging.nii.gz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="case_00099: .*imaging.nii.gz is unreadable or truncated"):
        kits19.prepare(source, tmp_path / "out")


def test_flipped_bit_is_found_by_the_checksum(tmp_path):
    source = source_of(tmp_path / "source")
    path = source / "data" / "case_00003" / "imaging.nii.gz"
    content = bytearray(path.read_bytes())
    content[-7] ^= 1  # the stored checksum itself: every voxel still decompresses
    path.write_bytes(content)
    with pytest.raises(ValueError, match="case_00003: .*imaging.nii.gz is unreadable or truncated .*CRC"):
        kits19.prepare(source, tmp_path / "out")


def test_affine_without_volume(tmp_path):
    source = source_of(tmp_path / "source")
    save(source / "data", "case_00099", suffix=".nii")
    path = source / "data" / "case_00099" / "imaging.nii"
    content = bytearray(path.read_bytes())
    content[280:296] = bytes(16)  # the header's srow_x
    path.write_bytes(content)
    with pytest.raises(ValueError, match="case_00099: .*imaging.nii has an affine without a volume"):
        kits19.prepare(source, tmp_path / "out")


def test_all_refused_cases_are_named_or_skipped(tmp_path):
    source = source_of(tmp_path / "source", 12, label=case_arrays()[1] * 4)
    (source / "data" / "case_00001" / "segmentation.nii.gz").unlink()
    (source / "data" / "case_00002" / "imaging.nii.gz").unlink()
    with pytest.raises(ValueError, match="^3 of 13 cases refused") as error:
        kits19.prepare(source, tmp_path / "out")
    lines = str(error.value).splitlines()
    assert [line.split(":")[0] for line in lines[1:]] == ["case_00001", "case_00002", "case_00099"]
    assert "no segmentation.nii.gz" in lines[1] and "no imaging.nii.gz" in lines[2] and "[4, 8]" in lines[3]
    with pytest.raises(ValueError, match="no usable case for validation .*2 cases refused"):
        kits19.prepare(source, tmp_path / "out", skip_bad=True, split="sorted", folds=13)
    summary = kits19.prepare(source, tmp_path / "out", skip_bad=True, split="sorted")
    assert sum(summary["cases"].values()) == 10 and len(summary["refused"]) == 3
    datalist = json.loads((tmp_path / "out" / "datalist.json").read_text())
    assert datalist["refused"] == summary["refused"]
    listed = [entry["case"] for split in SPLITS for entry in datalist[split]]
    assert len(listed) == 10 and not set(listed) & set(summary["refused"])


def test_the_report_names_refused_cases_and_equal_images(tmp_path):
    source = source_of(tmp_path / "source", image=nan_image())
    save(source / "data", "case_00098", image=numbered(case_arrays()[0], 1))
    kits19.prepare(source, tmp_path / "out", split="sorted", skip_bad=True)
    report = (tmp_path / "out/report.md").read_text()
    assert report.startswith("# 6 cases: ") and "## Refused cases, left out\n\n- case_00099: " in report
    assert "the same image under several names: case_00001, case_00098" in report


def test_the_challenges_unlabelled_cases_are_left_out(tmp_path):
    source = source_of(tmp_path / "source")
    save(source / "data", "case_00210")
    (source / "data" / "case_00210" / "segmentation.nii.gz").unlink()
    with pytest.warns(UserWarning, match="1 test cases without published masks"):
        assert sum(kits19.prepare(source, tmp_path / "out")["cases"].values()) == 5


def test_source_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="source .*nowhere: no such folder"):
        kits19.prepare(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="source .*empty: the folder is empty"):
        kits19.prepare(tmp_path / "empty", tmp_path / "out")
    (tmp_path / "empty" / "imagesTr").mkdir()
    with pytest.raises(ValueError, match=r"expected data/case_\*/ or case_\*/ \(KiTS19\), or imagesTr/ \+ labelsTr/"):
        kits19.prepare(tmp_path / "empty", tmp_path / "out")
    (tmp_path / "empty" / "labelsTr").mkdir()
    with pytest.raises(ValueError, match="empty: no cases found"):
        kits19.prepare(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(ValueError, match="--label_values: found 'liver', expected one of kits19, tumour, organ"):
        kits19.prepare(tmp_path / "empty", tmp_path / "out", label_values="liver")
    with pytest.raises(ValueError, match="--fold 7: found 5 folds, expected 0 to 4"):
        kits19.prepare(source_of(tmp_path / "source"), tmp_path / "out", fold=7)
    assert not (tmp_path / "out").exists()


def test_existing_target(tmp_path):
    source, out = source_of(tmp_path / "source"), tmp_path / "out"
    kits19.prepare(source, out)
    with pytest.raises(ValueError, match="out: holds a prepared data set already: rename it"):
        kits19.prepare(source, out)
    save(source / "data", "case_00007", label=case_arrays()[1] * 9)
    with pytest.raises(ValueError, match="1 of 6 cases refused"):
        kits19.prepare(source, out, overwrite=True)
    assert len(load_datalist(out, "training")) == 3  # a refusal leaves the earlier data set in place
    save(source / "data", "case_00007")
    kits19.prepare(source, out, overwrite=True)
    assert len(load_datalist(out, "training")) == 3 and len(list((out / "imagesTr").iterdir())) == 6
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    for target, message in ((tmp_path / "mine", "not empty and no prepared data set"), (source, "holds the source")):
        with pytest.raises(ValueError, match=message):
            kits19.prepare(source, target, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out", "source"]


@pytest.mark.skipif("MEDKD_SAMPLE_DATA" not in os.environ, reason="MEDKD_SAMPLE_DATA is not set")
def test_real_sarcoma_cases(tmp_path):
    source = Path(os.environ["MEDKD_SAMPLE_DATA"]) / "ct_sarcoma"
    counts = kits19.prepare(source, tmp_path / "out", label_values="tumour")["cases"]
    assert counts == {"training": 15, "validation": 2, "test": 5}
    original = nib.load(source / "imagesTr" / "STS_001.nii.gz")  # axes L, P, S
    hu, affine = read_volume(tmp_path / "out" / "imagesTr" / "STS_001.b2nd")
    assert hu.shape == (59, 202, 198) and nib.aff2axcodes(affine) == ("I", "P", "L")
    assert np.array_equal(hu, np.asarray(original.dataobj).transpose(2, 1, 0)[::-1])
    for index in ([0, 0, 0], [58, 100, 7]):
        there = np.linalg.inv(original.affine) @ affine @ [*index, 1]
        assert hu[tuple(index)] == original.dataobj[tuple(np.rint(there[:3]).astype(int))]
    label = read_volume(tmp_path / "out" / "labelsTr" / "STS_001.b2nd")[0]
    assert np.unique(label).tolist() == [0, 2]


def test_a_label_on_other_axes_and_other_formats_are_read(tmp_path):
    """The formats and names that `prepare nifti` reads: a label on other axes, NRRD, an nnU-Net channel in the name."""
    image, label = case_arrays()
    for folder in ("imagesTr", "labelsTr"):
        (tmp_path / "source" / folder).mkdir(parents=True)
    for number in range(5):
        nib.save(
            nib.Nifti1Image(numbered(image, number), KITS_AFFINE), tmp_path / f"source/imagesTr/c{number}_0000.nii.gz"
        )
        other = reoriented(label, KITS_AFFINE, "RAS") if number == 1 else (label, KITS_AFFINE)
        nib.save(nib.Nifti1Image(*other), tmp_path / f"source/labelsTr/c{number}.nii.gz")
    nrrd = sitk.ReadImage(str(tmp_path / "source/labelsTr/c2.nii.gz"))
    sitk.WriteImage(nrrd, str(tmp_path / "source/labelsTr/c2.nrrd"))
    (tmp_path / "source/labelsTr/c2.nii.gz").unlink()
    kits19.prepare(tmp_path / "source", tmp_path / "out")
    for number in range(5):
        stored, affine = read_volume(tmp_path / f"out/labelsTr/c{number}.b2nd")
        assert (stored == label).all() and np.allclose(affine, KITS_AFFINE, atol=1e-4)
