"""Preparation of volumes with several channels: each by its own rule, stored and reported by name, faults by name."""

import json
import re

import numpy as np
import pytest

from medkd.data import data_channels, dataset_property, read_volume
from medkd.data_prep._volume_pairing import pair_volumes

from .own_volumes import entries, make_ct, make_mr, prepare, run_command, save

NAMES = "ct,t1,pet"


def write_channels(root, count=5, **replaced):
    """Write cases of a CT, an MR and an emission image in nnU-Net's names; ``replaced``: path -> array or None."""
    for number in range(count):
        image, label = make_ct(number)
        pet = np.random.default_rng(number).gamma(2.0, 3.0, image.shape).astype(np.float32) + 20 * label
        for channel, array in enumerate((image, make_mr(number)[0], pet)):
            save(root / f"images/c{number}_{channel:04}.nii.gz", array)
        save(root / f"labels/c{number}.nii.gz", label)
    for name, array in replaced.items():
        path = root / f"images/{name}.nii.gz"
        path.unlink() if array is None else save(path, array)


def test_each_channel_is_stored_by_its_own_rule(tmp_path, capsys):
    write_channels(tmp_path)
    prepare(tmp_path, channels=NAMES, classes="kidney,tumour")
    folder = tmp_path / "out"
    assert "channels: ct, t1, pet; found as nnU-Net's names" in capsys.readouterr().err
    assert data_channels(folder) == ["ct", "t1", "pet"] == list(dataset_property(folder, "modality").values())
    assert dataset_property(folder, "per_case") == [False, True, True]
    (low, high), *others = dataset_property(folder, "window")
    assert 20 <= low <= 60 and 210 <= high <= 240 and others == [[0, 1000], [0, 1000]]
    entry = entries(folder)["c3"]
    assert [path.rsplit("/", 1)[1] for path in entry["image"]] == [f"c3_{n:04}.b2nd" for n in range(3)]
    stored = [read_volume(path)[0] for path in entry["image"]]
    assert np.array_equal(stored[0], make_ct(3)[0].transpose(2, 1, 0)[::-1])
    for channel in stored[1:]:
        np.testing.assert_allclose(np.percentile(channel, [0.5, 99.5]), [0, 1000], atol=1)
    text = (folder / "report.md").read_text()
    assert "- intensities of ct: HU, kept" in text and "- window of pet: 0 to 1000 (the percentiles" in text
    row = json.loads((folder / "report.json").read_text())["cases"]["c0"]
    assert row["ct lowest"] == -1000 and {"t1 50 %", "pet highest"} <= row.keys() and "lowest" not in row


def test_what_the_user_says_of_each_channel_holds(tmp_path):
    write_channels(tmp_path)
    windows = [[-100, 200], [0, 900], [1, 7.5]]
    words = ["--channels", "ct", "t1", "pet", "--window", json.dumps(windows), "--modality", "ct,other,ct"]
    assert run_command(tmp_path, *words) == 0
    assert dataset_property(tmp_path / "out", "window") == windows
    assert dataset_property(tmp_path / "out", "per_case") == [False, True, False]


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"c1_0002": None}, "c1: lacks the channel pet: found .*c1_0000.nii.gz, .*c1_0001.nii.gz; add it"),
        (
            {"c1_0001": make_mr(1)[0][:-1]},
            r"c1: channel t1: found another grid than that of ct \(shape .*--resample_ch",
        ),
        ({"c1_0001": make_mr(1)[0] * np.nan}, "c1: channel t1: .*c1_0001.nii.gz: NaN or infinite voxels"),
        ({"c1_0002": make_mr(1)[0] * 0 + 3}, "c1: channel pet: every voxel is 3, expected an image"),
        ({"c1_0001": make_mr(1)[0].astype(np.complex64)}, "c1: .*c1_0001.nii.gz has voxels of type complex64"),
        ({"c1_0000": make_ct(1)[0] * np.float32(90)}, "c1: HU of the channel ct: .* outside -32768 to 32767"),
    ],
)
def test_a_bad_channel_is_one_line_that_names_it(tmp_path, capsys, replaced, message):
    write_channels(tmp_path, **replaced)
    assert run_command(tmp_path, "--channels", NAMES) in (1, 2)
    line = only_line_without_form(capsys)
    assert re.search(f"1 of 5 cases refused, nothing was written: {message}", line), line
    assert not (tmp_path / "out").exists()


def only_line_without_form(capsys):
    """Return the error, after the check that nothing is beside it but the form of the channels."""
    text = capsys.readouterr().err
    form, lines = re.findall(r"channels: .*; found as .*", text), re.findall("medkd: error: .*", text)
    assert len(lines) == 1 and len(form) <= 1 and "Traceback" not in text
    return lines[0]


def test_a_channel_on_another_grid_is_resampled_on_request(tmp_path, capsys):
    write_channels(tmp_path, c1_0001=make_mr(1)[0][:, :-2])
    assert run_command(tmp_path, "--channels", NAMES, "--resample_channels", "True") == 0
    assert re.search(r"note: c1: image: channel t1: resampled \(linear\) onto the grid of ct", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--channels", "ct,t1"], r"channels: found 2 names \(ct, t1\), expected 3"),
        (["--channels", "ct,t1,T1"], "channels: found ct, t1, T1, expected names that differ"),
        (["--channels", "ct,,t1"], "channels: found ct, , t1, expected names that differ"),
        (["--channels", "ct,a/b,t1"], "channels: found 'a/b', expected a name without slashes"),
        (
            ["--channels", NAMES, "--window", "0", "1000"],
            r"window: found \[0, 1000\], expected two numbers for each of ct, t1, pet",
        ),
        (["--channels", NAMES, "--modality", "ct,other"], "modality: found 2 words, expected one, or one for each"),
        (["--channels", NAMES, "--modality", "us"], "--modality: found 'us'"),
        ([], r"5 of 5 cases refused"),
    ],
)
def test_bad_options(tmp_path, capsys, options, message):
    write_channels(tmp_path)
    assert run_command(tmp_path, *options) in (1, 2)
    assert re.search(message, only_line_without_form(capsys))


def test_without_the_option_a_second_channel_is_refused_with_a_sentence_that_names_it(tmp_path, capsys):
    write_channels(tmp_path)
    assert run_command(tmp_path) in (1, 2)
    assert "c0: 3 channels (c0_0000, c0_0001, c0_0002), expected one image" in (error := capsys.readouterr().err)
    assert "medkd prepare nifti --channels NAME,NAME" in error


def test_equal_channels_are_said(tmp_path, capsys):
    write_channels(tmp_path, c1_0002=make_mr(1)[0])
    assert run_command(tmp_path, "--channels", NAMES) == 0
    assert "c1: image: the channels t1 and pet hold the same voxels" in capsys.readouterr().err


def test_label_maps_in_the_folders_of_their_cases(tmp_path):
    """As BraTS has them: a folder for each case with the channels and the label map."""
    touched = ["a/a-t1n.nii.gz", "a/a-t2w.nii.gz", "a/a-seg.nii.gz", "b/t1n.nii.gz", "b/t2w.nii.gz", "b/label.nii.gz"]
    for name in touched:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    cases = pair_volumes(tmp_path, tmp_path, ("t1n", "t2w"))
    assert not cases.refused and {case: files.label.name for case, files in cases.files.items()} == {
        "a": "a-seg.nii.gz",
        "b": "label.nii.gz",
    }
