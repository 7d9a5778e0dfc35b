"""Lists of labelled files, prepared for the training of a packed bundle."""

import json

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medkd.data import read_volume
from medkd.data_prep.labelled_files import prepare_lists, publish

CT = {"form": None, "classes": {1: "tumour"}, "values": {0: 0, 1: 0, 2: 1}}


@pytest.fixture
def scans(tmp_path):
    """Two labelled scans, as MONAI Label lists them: class 1 fills one slice."""
    entries = []
    for seed, name in enumerate(("a", "b")):
        image = np.random.default_rng(seed).normal(40, 20, (6, 5, 4))
        label = np.zeros(image.shape, np.uint8)
        label[..., 2] = 1
        entries.append({key: str(tmp_path / f"{name}_{key}.nii.gz") for key in ("image", "label")})
        for array, path in ((image, entries[-1]["image"]), (label, entries[-1]["label"])):
            nib.save(nib.Nifti1Image(array, np.diag([-1, -1, -2.5, 1])), path)
    return entries


def prepared(training, validation, root, **options):
    """Return the folder of the prepared data set and its data list."""
    prepare_lists(training, validation, str(root), **{**CT, **options})
    folder = root / "trained_on_lists/data"
    return folder, json.loads((folder / "datalist.json").read_text())


def test_without_lists_nothing_is_done(tmp_path):
    prepare_lists(None, None, str(tmp_path), **CT)
    publish(None, str(tmp_path), str(tmp_path / "output"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("values", "expected"),
    [({0: 0, 1: 0, 2: 1}, 2), ({0: 0, 1: 1, 2: 1}, 2), (None, 1)],
    ids=["tumour", "organ", "own"],
)
def test_labels_are_stored_as_the_values_of_their_classes(scans, tmp_path, values, expected):
    folder, listed = prepared(scans[:1], scans[1:], tmp_path, values=values)
    assert listed["labels"] == {"0": "background", str(expected): "tumour"}
    (entry,) = listed["training"]
    label = read_volume(folder / entry["label"])[0]
    assert set(np.unique(label)) == {0, expected} and (label[2] == expected).all() and not label[3].any()
    assert entry["slices_with"] == {str(expected): [2]}
    image = np.asarray(nib.load(scans[0]["image"]).dataobj)
    stored = read_volume(folder / entry["image"])[0]
    np.testing.assert_array_equal(np.sort(stored, axis=None), np.sort(np.rint(image), axis=None))


def test_images_are_rescaled_where_inference_does(scans, tmp_path):
    folder, listed = prepared(scans, [], tmp_path, per_case=True)
    image = read_volume(folder / listed["training"][0]["image"])[0]
    assert np.percentile(image, [0.5, 99.5]) == pytest.approx([0, 1000], abs=20)


def test_without_validation_cases_a_note_says_what_validates(scans, tmp_path, capsys):
    for validation in ([], None):
        _, listed = prepared(scans, validation, tmp_path)
        assert [len(listed[split]) for split in ("training", "validation", "test")] == [2, 0, 0]
        assert "there are no validation cases" in capsys.readouterr().err


def test_a_second_training_replaces_the_first_and_its_model_is_published(scans, tmp_path):
    prepared(scans, [], tmp_path)
    run = tmp_path / "trained_on_lists/run"
    run.mkdir()
    (run / "model.pt").write_bytes(b"weights")
    (tmp_path / "models").mkdir()
    publish(scans, str(tmp_path), str(run))
    assert (tmp_path / "models/model.pt").read_bytes() == b"weights"
    _, listed = prepared(scans[:1], scans[1:], tmp_path)
    assert len(listed["training"]) == 1 and not run.exists()


def test_pictures(tmp_path):
    for value, name in ((1, "a"), (255, "b")):
        mask = np.zeros((20, 30), np.uint8)
        mask[5:9, 3:] = value
        Image.fromarray(np.random.default_rng(value).integers(0, 255, (20, 30, 3), np.uint8)).save(
            tmp_path / f"{name}.png"
        )
        Image.fromarray(mask).save(tmp_path / f"{name}_mask.png")
    entries = [{"image": str(tmp_path / f"{n}.png"), "label": str(tmp_path / f"{n}_mask.png")} for n in "ab"]
    folder, listed = prepared(entries[:1], entries[1:], tmp_path, form="rgb", classes={1: "polyp"}, values=None)
    for split in ("training", "validation"):
        label = np.asarray(Image.open(folder / listed[split][0]["label"]))
        assert label.sum() == 4 * 27 and label.max() == 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda entries: entries.clear(), "no labelled training cases"),
        (
            lambda entries: entries.append(entries[0]),
            "a_image.nii.gz: its name is that of .*a_image.nii.gz: rename one",
        ),
        (lambda entries: entries[0].update(label=entries[0]["image"]), "1 of 2 cases refused.*a_image: .*label values"),
        (lambda entries: entries[1].update(image="absent.nii.gz"), "1 of 2 cases refused.*absent: "),
    ],
    ids=["none", "twice", "label", "absent"],
)
def test_bad_lists_end_the_program_with_one_line(scans, tmp_path, spoil, message):
    spoil(scans)
    with pytest.raises(SystemExit, match=f"medkd: error: .*{message}"):
        prepare_lists(scans, [], str(tmp_path), **CT)
    assert not (tmp_path / "trained_on_lists").exists()
