"""Preparation of own volumes: names, formats, decisions, splits, the report, every refusal, nothing half written."""

import gzip
import json
import re
import resource

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from medkd.cli.main import main
from medkd.data import SPLITS, dataset_property, load_datalist, read_volume
from medkd.data_prep import nifti
from medkd.phantoms import write_dicom

SHAPE = (20, 24, 6)
CT = np.diag([-0.8, -0.8, 3.0, 1.0])
BAR = re.compile(r"case/s\]|\?case")


def ct(seed=0):
    """Soft tissue around 40 HU in air, with a brighter block as value 1 and a small one as value 2."""
    label = np.zeros(SHAPE, np.uint8)
    label[6:12, 6:12, 1:4], label[14:16, 8:12, 2:4] = 1, 2
    image = np.random.default_rng(seed).normal(40, 5, SHAPE) + 60 * label
    image[:3] = -1000
    return np.rint(image).astype(np.int16), label


def mr(seed=0):
    image, label = ct(seed)
    return ((image + 1000) * (1 + seed) * 0.37).astype(np.float32), label


def save(path, array, affine=CT):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith((".nii", ".nii.gz")):
        nib.save(nib.Nifti1Image(array, affine), path)
        return
    lps = np.diag([-1, -1, 1, 1]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image = sitk.GetImageFromArray(array.T)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    sitk.WriteImage(image, str(path))


def folders(root, count=5, draw=ct, **odd):
    """Images and labels c0, c1, ...; ``odd``: arrays or affines that replace those of c1."""
    for number in range(count):
        image, label = draw(number)
        own = odd if number == 1 else {}
        save(root / f"images/c{number}.nii.gz", own.get("image", image), own.get("affine", CT))
        save(root / f"labels/c{number}.nii.gz", own.get("label", label), own.get("label_affine", own.get("affine", CT)))
    return {"images": root / "images", "labels": root / "labels"}


def prepare(root, target="out", **options):
    given = {"images": root / "images", "labels": root / "labels", "split": "sorted", **options}
    return nifti.prepare(target=root / target, **given)


def entries(folder):
    return {entry["case"]: entry for part in SPLITS for entry in load_datalist(folder, part)}


def test_ct_is_stored_as_it_is_and_a_window_proposed(tmp_path):
    folders(tmp_path)
    summary = prepare(tmp_path, classes="kidney,tumour")
    assert summary["cases"] == {"training": 3, "validation": 1, "test": 1}
    image, label = ct(3)
    entry = entries(tmp_path / "out")["c3"]
    found, affine = read_volume(entry["image"])
    turned = image.transpose(2, 1, 0)[::-1]
    assert found.dtype == np.int16 and np.array_equal(found, turned)
    assert np.array_equal(read_volume(entry["label"])[0], label.transpose(2, 1, 0)[::-1])
    assert nib.aff2axcodes(affine) == ("I", "P", "L") and entry["spacing"] == [3.0, 0.8, 0.8]
    found = {name: dataset_property(tmp_path / "out", name) for name in ("labels", "window", "per_case")}
    assert found["labels"] == {"0": "background", "1": "kidney", "2": "tumour"} and found["per_case"] is False
    low, high = found["window"]  # what is labelled lies at about 85 to 175
    assert (low % 10, high % 10) == (0, 0) and 20 <= low <= 60 and 210 <= high <= 240
    assert dataset_property(tmp_path / "out", "spacing_3d") == [3.0, 0.8, 0.8]
    assert dataset_property(tmp_path / "out", "patch_3d") == [16, 16, 16]
    assert dataset_property(tmp_path / "out", "image_size_2d") == [32, 32]


def test_mr_is_rescaled_case_by_case(tmp_path):
    folders(tmp_path, draw=mr)
    prepare(tmp_path)
    assert dataset_property(tmp_path / "out", "per_case") is True
    assert dataset_property(tmp_path / "out", "window") == [0, 1000]
    assert dataset_property(tmp_path / "out", "labels") == {"0": "background", "1": "class_1", "2": "class_2"}
    for entry in entries(tmp_path / "out").values():
        found = np.percentile(read_volume(entry["image"])[0], [0.5, 99.5])
        np.testing.assert_allclose(found, [0, 1000], atol=1)


def test_what_the_user_says_holds(tmp_path):
    folders(tmp_path)
    prepare(tmp_path, modality="other", window=[10, 900.5], spacing=[2, 1, 1])
    properties = {name: dataset_property(tmp_path / "out", name) for name in ("per_case", "window", "spacing_3d")}
    assert properties == {"per_case": True, "window": [10, 900.5], "spacing_3d": [2, 1, 1]}
    folders(tmp_path / "mr", draw=mr)
    prepare(tmp_path / "mr", modality="ct")
    stored = read_volume(entries(tmp_path / "mr/out")["c4"]["image"])[0]
    assert np.array_equal(stored, np.rint(mr(4)[0]).astype(np.int16).transpose(2, 1, 0)[::-1])


def test_values_become_classes_in_order(tmp_path):
    folders(tmp_path)
    for number in range(5):
        save(tmp_path / f"labels/c{number}.nii.gz", (ct()[1] == 2).astype(np.uint8) * 255)
    prepare(tmp_path)
    assert dataset_property(tmp_path / "out", "labels") == {"0": "background", "1": "foreground"}
    assert np.unique(read_volume(entries(tmp_path / "out")["c0"]["label"])[0]).tolist() == [0, 1]


def test_formats_and_names_may_be_mixed(tmp_path):
    image, label = ct()
    oblique = CT.copy()
    oblique[:2, :2] = 0.8 * np.array([[-0.8, 0.6], [-0.6, -0.8]])
    names = {
        "a_0000.nii.gz": "a.nrrd",
        "b_image.mha": "b_label.seg.nrrd",
        "c.mhd": "c_seg.nii",
        "d_IMG.nrrd": "d_mask.mha",
        "e": "e.nii.gz",
        "f_0000.nii": "f_0000.nii",
    }
    for one, other in names.items():
        if one == "e":
            write_dicom(tmp_path / "images/e", image, oblique)
        else:
            save(tmp_path / "images" / one, image, oblique)
        # as other programs would write the label: on the same grid, its axes turned
        turned = nib.Nifti1Image(label, oblique).as_reoriented([[1, -1], [0, 1], [2, -1]])
        save(tmp_path / "labels" / other, np.asarray(turned.dataobj), turned.affine)
    assert sum(prepare(tmp_path, folds=3)["cases"].values()) == 6
    found = entries(tmp_path / "out")
    assert sorted(found) == ["a", "b", "c", "d", "e", "f_0000"]
    stores = {key: [read_volume(entry[key]) for entry in found.values()] for key in ("image", "label")}
    for kind in stores.values():
        for array, affine in kind:
            assert np.array_equal(array, kind[0][0])
            np.testing.assert_allclose(affine, kind[0][1], atol=1e-3)
    spot = np.argwhere(stores["label"][0][0] == 2).mean(0)
    np.testing.assert_allclose(
        stores["label"][0][1] @ [*spot, 1], oblique @ [*np.argwhere(label == 2).mean(0), 1], atol=1e-3
    )


def test_numbers_are_no_channels(tmp_path):
    image, label = ct()
    for number in range(5):
        save(tmp_path / f"images/scan_000{number}.nii.gz", image)
        save(tmp_path / f"labels/scan_000{number}_seg.nii.gz", label)
    prepare(tmp_path)
    assert sorted(entries(tmp_path / "out")) == [f"scan_000{number}" for number in range(5)]


def test_one_folder_for_both_needs_names_that_tell(tmp_path, capsys):
    for number in range(5):
        save(tmp_path / f"both/c{number}_0000.nii.gz", ct()[0])
        save(tmp_path / f"both/c{number}_seg.nii.gz", ct()[1])
    prepare(tmp_path, "one", images=tmp_path / "both", labels=tmp_path / "both")
    assert sorted(entries(tmp_path / "one")) == [f"c{number}" for number in range(5)]
    folders(tmp_path)
    assert command(tmp_path, "--images", tmp_path / "labels") == 1
    assert re.search("--images and --labels name the same folder .*labels: found c0, expected", only_line(capsys))


def table(root, text):
    (root / "patients.csv").write_text(text, encoding="utf-8")
    return root / "patients.csv"


def test_a_table_of_patients(tmp_path):
    folders(tmp_path, 7)
    rows = "c0;A\nc1;A\nc2;B\nc3;B\nc4;C\nc5;D\n"
    with pytest.warns(UserWarning, match="1 cases are not listed and left out: c6"):
        summary = prepare(tmp_path, split=table(tmp_path, f"\ufeffCase; Patient\n{rows}"), folds=4)
    assert summary["left_out"] == ["c6"]
    found = {part: {entry["patient"] for entry in load_datalist(tmp_path / "out", part)} for part in SPLITS}
    assert sorted(map(len, found.values())) == [1, 1, 2] and set.union(*found.values()) == set("ABCD")
    assert {entry["case"]: entry["patient"] for entry in entries(tmp_path / "out").values()}["c3"] == "B"
    parts = ["training"] * 4 + ["validation", "test", "test"]
    rows = [f"c{number},{part},{50 + number}" for number, part in enumerate(parts)]
    prepare(tmp_path, "parts", split=table(tmp_path, "\n".join(["patient,part,age", *rows])))
    assert [entry["case"] for entry in load_datalist(tmp_path / "parts", "test")] == ["c5", "c6"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"head line is \[\], expected the column patient"),
        ("case,part\nc0,test\n", "expected the column patient"),
        ("patient\n", "no row below the head line"),
        ("case,patient\nc0,A\nc9,B\n", "no such case: c9 .there are c0, c1, c2 and 2 more"),
        ("case,patient\nc0,A\nc1,B\nc0,C\n", "listed more than once: c0"),
        ("case,patient\nc0,A\nc1,\n", "no patient is named for c1"),
        ("patient,part\nc0,train\n", "case c0: part 'train', expected one of training, validation, test"),
        ("case,patient,part\nc0,A,training\nc1,A,test\n", "patient A is in training .* and in test"),
        (
            "patient,part\nc0,training\nc1,training\nc2,training\nc3,training\nc4,test\n",
            "patients.csv: no case for validation, expected one at least of training, validation, test",
        ),
    ],
)
def test_bad_tables_of_patients(tmp_path, monkeypatch, text, message):
    folders(tmp_path)
    monkeypatch.setattr(nifti, "survey_cases", None)  # before any volume is read
    with pytest.raises(ValueError, match=message):
        prepare(tmp_path, split=table(tmp_path, text))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "labels", "patients.csv"]


def test_odd_cases_are_called_out(tmp_path):
    image, label = ct(1)
    thick = np.diag([-0.8, -0.8, 7.5, 1.0])
    folders(tmp_path, 6, image=image + np.int16(1024), affine=thick)
    save(tmp_path / "labels/c2.nii.gz", label * (label == 1))
    tiny = np.where(label == 2, 0, label)
    tiny[15, 9, 2] = 2
    save(tmp_path / "labels/c3.nii.gz", tiny)
    prepare(tmp_path, classes=["kidney", "tumour"])
    report = json.loads((tmp_path / "out/report.json").read_text())
    odd = report["odd"]
    assert sorted(odd) == ["c1", "c2", "c3"]
    assert "spacing 7.5 x 0.8 x 0.8 mm, the others' median is 3 x 0.8 x 0.8" in odd["c1"][0]
    assert "(an offset of 1024: values stored without their sign?)" in odd["c1"][1]
    assert odd["c2"] == ["no tumour"] and odd["c3"][0].startswith("little tumour: 1 voxels")
    assert report["cases"]["c0"]["kidney ml"] == pytest.approx(108 * 0.8 * 0.8 * 3 / 1000, rel=1e-3)
    text = (tmp_path / "out/report.md").read_text()
    assert "- c2: no tumour" in text and "1 kidney (value 1, in 6 cases), 2 tumour (value 2, in 5 cases)" in text
    assert all(f"| c{number} " in text for number in range(6))


def test_a_tilted_gantry_is_odd_and_its_millilitres_are_right(tmp_path):
    tilted = CT.copy()
    tilted[1, 2] = 3 * np.tan(np.deg2rad(20))
    folders(tmp_path, affine=tilted)
    prepare(tmp_path, classes=["kidney", "tumour"])
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["cases"]["c1"]["kidney ml"] == report["cases"]["c0"]["kidney ml"]
    assert list(report["odd"]) == ["c1"] and report["odd"]["c1"][0].startswith("sheared by 20 degrees")


def blocked(draw):
    def spoil(root):
        folders(root, **draw())

    return spoil


def nan():
    image = ct(1)[0].astype(np.float32)
    image[0, 0, 0] = np.nan
    return {"image": image}


def without(name):
    def spoil(root):
        folders(root)
        (root / name).unlink()

    return spoil


def twice(root):
    folders(root)
    save(root / "images/c1_0000.nrrd", ct()[0])


def second_channel(root):
    folders(root)
    (root / "images/c1.nii.gz").rename(root / "images/c1_0000.nii.gz")
    save(root / "images/c1_0001.nii.gz", ct()[0])


def series(root):
    folders(root)
    (root / "images/c1.nii.gz").unlink()
    for name in ("thin", "thick"):
        write_dicom(root / "images/c1", ct()[0], CT, description=name, prefix=name)


def own_mask(root):
    folders(root)
    (root / "images/c1.nii.gz").unlink()
    (root / "images/c1.nii.gz").symlink_to(root / "labels/c1.nii.gz")


BAD_CASES = [
    (own_mask, "c1: .*images/c1.nii.gz and its mask .*labels/c1.nii.gz are the same file"),
    (blocked(nan), "c1: .*c1.nii.gz: NaN or infinite voxels"),
    (blocked(lambda: {"image": ct()[0][:-1]}), "c1: image .* and mask .* have different shapes"),
    (blocked(lambda: {"label_affine": CT + np.eye(4)[:, [3, 1, 2, 0]]}), "c1: affines .* differ by up to"),
    (
        blocked(lambda: {"image": np.stack([ct()[0]] * 2, -1)}),
        r"c1: .* has shape \(20, 24, 6, 2\), expected three axes",
    ),
    (blocked(lambda: {"image": ct()[0][..., 0]}), "c1: .* expected three axes"),
    (blocked(lambda: {"label": ct()[1] * np.float32(0.5)}), "c1: label values of the mask: .* is not a whole number"),
    (blocked(lambda: {"label": ct()[1].astype(np.int16) * 300}), "c1: label values of the mask: .* outside 0 to 255"),
    (blocked(lambda: {"image": ct()[0] * np.float32(200)}), "c1: HU of the image: .* outside -32768 to 32767"),
    (without("labels/c1.nii.gz"), "c1: .*c1.nii.gz has no mask of the same name"),
    (without("images/c1.nii.gz"), "c1: .*c1.nii.gz has no image of the same name"),
    (twice, "c1: several files of one name"),
    (second_channel, "c1_0001: .*c1_0001.nii.gz has no mask"),
    (series, r"c1: .*2 DICOM series: thi.*\(6 files\)"),
]


def only_line(capsys):
    text = capsys.readouterr().err
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip() and not BAR.search(line)]
    assert len(lines) == 1, text
    assert lines[0].startswith("medkd: error: ")
    return lines[0]


def command(root, *options):
    words = ["--images", root / "images", "--labels", root / "labels", "--dataset_dir", root / "out", *options]
    return main(["prepare", "nifti", *map(str, words)])


@pytest.mark.parametrize(("spoil", "message"), BAD_CASES)
def test_bad_cases_are_one_line_and_nothing_is_written(tmp_path, capsys, spoil, message):
    spoil(tmp_path)
    assert command(tmp_path) == 1
    line = only_line(capsys)
    assert re.search(f"1 of [56] cases refused, nothing was written: {message}", line), line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "labels"]


def test_bad_cases_can_be_left_out(tmp_path, capsys):
    folders(tmp_path, 6, **nan())
    assert command(tmp_path, "--skip_bad", "True") == 0
    assert "c1" in dataset_property(tmp_path / "out", "refused") and len(entries(tmp_path / "out")) == 5


def test_a_header_that_promises_too_much_is_one_bad_case(tmp_path, capsys):
    folders(tmp_path, 6)
    content = bytearray(gzip.decompress((tmp_path / "images/c1.nii.gz").read_bytes()))
    content[42:48] = np.array([32767] * 3, "<i2").tobytes()
    (tmp_path / "images/c1.nii.gz").write_bytes(gzip.compress(content))
    assert command(tmp_path, "--skip_bad", "True") == 0
    assert "(32767, 32767, 32767)" in dataset_property(tmp_path / "out", "refused")["c1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--classes", "kidney"], r"1 names \(kidney\) for 2 values in the masks: 1 \(5 cases\), 2 \(5 cases\)"),
        (["--classes", "a,a"], "names must differ"),
        (["--classes", "all,b"], "neither empty, all nor background"),
        (["--window", "300", "-200"], r"--window: found \[300, -200\], expected the lowest and the highest intensity"),
        (["--window", "5"], "--window: found .*5.*, expected "),
        (["--spacing", "3", "0", "1"], "spacing: found 3 0 1, expected three lengths in mm"),
        (["--modality", "us"], "modality 'us' is unknown, expected one of ct, other"),
        (["--split", "none.csv"], "none.csv.*: no such file"),
        (["--fold", "7"], "fold 7 of 5"),
        (["--seed", "1", "stray"], "unexpected positional argument"),
        (["--windows", "1"], r"unknown option\(s\): --windows \(did you mean --window"),
    ],
)
def test_bad_options(tmp_path, capsys, options, message):
    folders(tmp_path)
    assert command(tmp_path, *options) == 1
    assert re.search(message, only_line(capsys))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "labels"]


@pytest.mark.parametrize("missing", ["images", "labels", "dataset_dir"])
def test_what_the_command_needs(missing, capsys):
    words = [w for name in ("images", "labels", "dataset_dir") if name != missing for w in (f"--{name}", "x")]
    assert main(["prepare", "nifti", *words]) == 1
    assert f"medkd prepare nifti needs --{missing}" in only_line(capsys)


def test_lists_by_words_or_as_a_list_and_the_report_is_printed(tmp_path, capsys):
    folders(tmp_path)
    options = [
        "--window",
        "-200",
        "300",
        "--spacing",
        "[3, 0.5, 0.5]",
        "--split",
        "sorted",
        "--classes",
        "kidney",
        "tumour",
    ]
    assert command(tmp_path, *options) == 0
    assert dataset_property(tmp_path / "out", "window") == [-200, 300]
    assert dataset_property(tmp_path / "out", "spacing_3d") == [3, 0.5, 0.5]
    said = capsys.readouterr().out
    assert "# 5 cases: 3 training, 1 validation, 1 test" in said and "window: -200 to 300 (as you said" in said
    assert command(tmp_path, "--overwrite") == 0
    assert command(tmp_path) == 1
    assert "holds a prepared data set already; --overwrite True replaces it" in capsys.readouterr().err


def test_what_others_wrote_into_the_target_stays(tmp_path, monkeypatch):
    folders(tmp_path)

    def meanwhile(*given):
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out/model.pt").write_bytes(b"weights")
        return store(*given)

    store = nifti.store_volumes
    monkeypatch.setattr(nifti, "store_volumes", meanwhile)
    with pytest.raises(ValueError, match=r"out: not empty and no prepared data set"):
        prepare(tmp_path)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model.pt"]
    monkeypatch.setattr(nifti, "store_volumes", store)
    (tmp_path / "out/model.pt").unlink()
    prepare(tmp_path)
    (tmp_path / "out/soft_labels").mkdir()
    prepare(tmp_path, overwrite=True)
    (tmp_path / "out/teacher").mkdir()
    with pytest.raises(ValueError, match="out: holds teacher, expected a prepared data set alone"):
        prepare(tmp_path, overwrite=True)
    assert (tmp_path / "out/teacher").is_dir() and (tmp_path / "out/datalist.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "labels", "out"]


def test_a_full_disk_is_one_line_and_no_case_is_left_out_for_it(tmp_path, capsys):
    folders(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        assert command(tmp_path, "--skip_bad", "True") == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert re.search(r"c\d.b2nd: cannot be written, is the disk full", only_line(capsys))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "labels"]


def test_a_part_that_loses_all_its_cases_is_told_before_the_conversion(tmp_path, monkeypatch):
    folders(tmp_path, **nan())  # sorted: c1 is the validation case
    monkeypatch.setattr(nifti, "store_volumes", None)
    with pytest.raises(ValueError, match=r"no usable case for validation \(split 'sorted'"):
        prepare(tmp_path, skip_bad=True)


def test_a_validation_part_without_a_target_is_warned_about(tmp_path, capsys):
    folders(tmp_path, label=ct()[1] * (ct()[1] == 1))
    assert command(tmp_path, "--split", "sorted", "--classes", "kidney,tumour") == 0
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("medkd: ")]
    assert said == [
        "medkd: warning: no validation case has tumour: the best model could not be chosen by it; split otherwise"
    ]


def test_masks_without_labels_or_a_class_outside_of_training(tmp_path, monkeypatch):
    folders(tmp_path)
    monkeypatch.setattr(nifti, "store_volumes", None)  # before any volume is written
    for number in range(5):
        save(tmp_path / f"labels/c{number}.nii.gz", ct()[1] * (number == 0))
    with pytest.raises(ValueError, match=r"no training case has class_1 \(label value 1\)"):
        prepare(tmp_path)  # sorted: c0 is the test case
    save(tmp_path / "labels/c0.nii.gz", ct()[1] * 0)
    with pytest.raises(ValueError, match="no mask holds a value above 0"):
        prepare(tmp_path)
    assert not (tmp_path / "out").exists()
