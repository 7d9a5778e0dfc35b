"""Cases of nnU-Net raw data sets: by the names of their files, and by the dictionary "dataset"."""

import json

import pytest

from medkd.data_prep import nifti
from medkd.data_prep._described_source import discover_source

from .described_sources import V2_LABELS, copy_case, decathlon, nnunet, write_case, write_json

HC = [f"hc_{number}" for number in range(5)]


def names(files):
    return [path.name for path in (*files.images, files.label)]


def test_a_data_set_of_version_2(tmp_path):
    described = discover_source(nnunet(tmp_path))
    assert list(described.cases.files) == HC and described.cases.patients["hc_1"] == "hc_1"
    assert names(described.cases.files["hc_3"]) == ["hc_3_0000.nii.gz", "hc_3.nii.gz"]
    assert described.channels == ("MRI",) and described.classes == {1: "Anterior", 2: "Posterior"}
    assert (
        not described.notes and not described.cases.refused and set(described.cases.published.values()) == {"training"}
    )


@pytest.mark.parametrize("ending", [".nii", ".nrrd", ".mha"])
def test_other_file_endings(tmp_path, ending):
    described = discover_source(nnunet(tmp_path, 2, ending=ending))
    assert names(described.cases.files["hc_0"]) == [f"hc_0_0000{ending}", f"hc_0{ending}"] and not described.notes


def test_capitals_in_endings(tmp_path):
    folder = nnunet(tmp_path, 1)
    for path in list(folder.glob("*/*.nii.gz")):
        path.rename(path.with_name(path.name.replace(".nii.gz", ".NII.GZ")))
    described = discover_source(folder)
    assert names(described.cases.files["hc_0"]) == ["hc_0_0000.NII.GZ", "hc_0.NII.GZ"] and not described.notes


def test_several_channels(tmp_path):
    folder = nnunet(tmp_path, 3, channels=2)
    described = discover_source(folder)
    assert names(described.cases.files["hc_2"]) == ["hc_2_0000.nii.gz", "hc_2_0001.nii.gz", "hc_2.nii.gz"]
    assert described.channels == ("MRI", "smoothed")
    (folder / "imagesTr/hc_1_0001.nii.gz").unlink()
    assert list(discover_source(folder).cases.refused) == ["hc_1"]
    assert discover_source(folder).cases.refused["hc_1"].startswith("lacks the channel smoothed: found ")
    for number in (0, 2):
        (folder / f"imagesTr/hc_{number}_0001.nii.gz").unlink()
    with pytest.raises(ValueError, match="none of 3 cases can be used, as hc_0: lacks the channel smoothed: found"):
        discover_source(folder)


def test_a_task_of_version_1(tmp_path):
    """Its lists name images without the number of the channel, and its labels are value -> name."""
    folder = decathlon(tmp_path, 2, name="Task005_Prostate", files=False, modality={"0": "T2", "1": "ADC"})
    for number in range(2):
        write_case(
            folder, [f"imagesTr/hc_{number}_{k:04}.nii.gz" for k in range(2)], f"labelsTr/hc_{number}.nii.gz", number
        )
    described = discover_source(folder)
    assert names(described.cases.files["hc_1"]) == ["hc_1_0000.nii.gz", "hc_1_0001.nii.gz", "hc_1.nii.gz"]
    assert described.channels == ("T2", "ADC") and described.classes == {1: "Anterior", 2: "Posterior"}


def test_a_task_of_version_1_without_lists(tmp_path):
    folder = nnunet(
        tmp_path, 2, name="Task500_X", channel_names=None, file_ending=None, modality={"0": "T2"}, training=[]
    )
    described = discover_source(folder)
    assert list(described.cases.files) == ["hc_0", "hc_1"] and described.channels == ("T2",) and not described.notes


def test_lists_have_no_effect_in_version_2(tmp_path):
    described = discover_source(
        nnunet(tmp_path, 2, training=[{"image": "./imagesTr/gone.nii.gz", "label": "x.nii.gz"}])
    )
    assert list(described.cases.files) == ["hc_0", "hc_1"]
    assert described.notes == [
        "the list training is not read, as in nnU-Net v2 (file_ending is there): the folders are"
    ]


def test_missing_and_extra_files_are_named(tmp_path):
    folder = nnunet(tmp_path, 4, numTraining=9)
    (folder / "labelsTr/hc_0.nii.gz").unlink()
    (folder / "imagesTr/hc_1_0000.nii.gz").unlink()
    copy_case(folder, "hc_2", "hc_3", images=None)
    (folder / "labelsTr/hc_2.nrrd").write_bytes(b"")
    described = discover_source(folder)
    assert list(described.cases.files) == ["hc_3"]
    reasons = described.cases.refused
    assert reasons["hc_0"].endswith(
        f"has no mask of the same name in {folder / 'labelsTr'}: add it, or move the image away"
    )
    assert "has no image of the same name in" in reasons["hc_1"] and "several files of one name" in reasons["hc_2"]
    assert "numTraining: found 9 in dataset.json, there are 4 cases" in described.notes


def test_names_without_a_number_and_numbers_in_names(tmp_path):
    folder = nnunet(tmp_path, 0)
    write_case(folder, ["imagesTr/a.nii.gz"], "labelsTr/a.nii.gz")
    write_case(folder, ["imagesTr/scan_0001_0000.nii.gz"], "labelsTr/scan_0001.nii.gz")
    write_case(folder, ["imagesTr/scan_0002.nii.gz"], "labelsTr/scan_0002.nii.gz")
    described = discover_source(folder)
    assert list(described.cases.files) == ["a", "scan_0001", "scan_0002"]


def test_the_dictionary_of_the_data_set(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    write_case(elsewhere, ["t1/p1.nii.gz", "t2/p1.nii.gz"], "masks/p1.nii.gz")
    paths = {
        "images": ["../elsewhere/t1/p1.nii.gz", str(elsewhere / "t2/p1.nii.gz")],
        "label": "../elsewhere/masks/p1.nii.gz",
    }
    two = {"0": "T1", "1": "T2"}
    folder = nnunet(tmp_path, 1, files=False, channel_names=two, dataset={"case one": paths})
    described = discover_source(folder)
    assert names(described.cases.files["case one"]) == ["p1.nii.gz"] * 3 and not described.notes
    gone = {"images": ["gone.nii.gz"], "label": "../elsewhere/masks/p1.nii.gz"}
    three = {**paths, "images": [*paths["images"], paths["images"][0]]}
    nnunet(tmp_path, 1, files=False, channel_names=two, dataset={"a": gone, "b": three})
    assert discover_source(folder).cases.refused == {
        "a": "gone.nii.gz: no such file",
        "b": "found 3 images in dataset, expected 2 (T1, T2)",
    }


def test_variables_of_the_environment_in_the_dictionary(tmp_path, monkeypatch):
    write_case(tmp_path / "store", ["a.nii.gz"], "b.nii.gz")
    monkeypatch.setenv("STORE", str(tmp_path / "store"))
    dataset = {"a": {"images": ["${STORE}/a.nii.gz"], "label": "$STORE/b.nii.gz"}}
    described = discover_source(nnunet(tmp_path, 1, files=False, dataset=dataset))
    assert list(described.cases.files) == ["a"]


@pytest.mark.parametrize(
    "dataset",
    [[], {}, {"a": {}}, {"a": {"images": [], "label": "x"}}, {"a": {"images": ["x"], "label": 1}}, {"a": "x"}],
)
def test_other_forms_of_the_dictionary(tmp_path, dataset):
    with pytest.raises(ValueError, match="dataset: (a: )?found .*, expected"):
        discover_source(nnunet(tmp_path, 1, files=False, dataset=dataset))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            {"file_ending": ".png"},
            "file_ending: found .png, expected volumes; pictures are prepared by medkd prepare pictures",
        ),
        ({"file_ending": "tif"}, "medkd prepare pictures --images "),
        (
            {"overwrite_image_reader_writer": "NaturalImage2DIO", "file_ending": None},
            "found NaturalImage2DIO, expected vol",
        ),
        ({"overwrite_image_reader_writer": "Tiff3DIO"}, "Tiff3DIO: 3-D TIFF is not read"),
        ({"file_ending": ".xyz"}, "file_ending: found .xyz, expected one of .nii.gz"),
        ({"file_ending": 3}, "file_ending: found 3, expected a suffix"),
        ({"labels": {**V2_LABELS, "both": [1, 2]}, "regions_class_order": [1, 2]}, "is a region"),
    ],
)
def test_refused_data_sets(tmp_path, content, words):
    with pytest.raises(ValueError) as error:
        discover_source(nnunet(tmp_path, 1, files=False, **content))
    assert words in str(error.value) and "\n" not in str(error.value)


def test_harmless_differences_are_notes(tmp_path):
    folder = nnunet(tmp_path, 2, overwrite_image_reader_writer="MyReader", name="x")
    content = {**json.loads((folder / "dataset.json").read_text()), "file_ending": "nrrd"}
    write_json(folder / "dataset.json", content)
    write_case(folder, ["imagesTr/z_0000.nii"], "labelsTr/z.nii")
    notes = discover_source(folder).notes
    assert any("file_ending: found nrrd in dataset.json" in note and "read as they are" in note for note in notes)
    assert any("overwrite_image_reader_writer: 'MyReader' is not used" in note for note in notes)
    assert "numTraining: found 2 in dataset.json, there are 3 cases" in notes
    for reader in ("SimpleITKIO", "NibabelIOWithReorient", None):
        described = discover_source(nnunet(tmp_path, 1, name=f"r{reader}", overwrite_image_reader_writer=reader))
        assert not described.notes


def test_test_images_are_left_out_by_name_or_taken_with_their_labels(tmp_path):
    folder = nnunet(tmp_path, 2)
    copy_case(folder, "hc_7", images="imagesTs", labels=None)
    notes = discover_source(folder).notes
    assert notes == [
        "left out: imagesTs, 1 of 1 files (hc_7_0000.nii.gz): "
        "images without labels; --unlabelled FOLDER takes some into a distillation"
    ]
    copy_case(folder, "hc_8", images="imagesTs", labels="labelsTs")
    described = discover_source(folder)
    assert described.cases.published == {"hc_0": "training", "hc_1": "training", "hc_8": "test"}
    assert [note.split("(")[0] for note in described.notes] == ["left out: imagesTs, 1 of 2 files "]


def test_what_systems_and_people_leave_beside(tmp_path):
    folder = nnunet(tmp_path, 2)
    for name in (".DS_Store", "README.md", "imagesTr/.DS_Store", "imagesTr/._hc_0_0000.nii.gz", "labelsTr/readme.txt"):
        (folder / name).write_bytes(b"x")
    described = discover_source(folder)
    assert list(described.cases.files) == ["hc_0", "hc_1"] and not described.notes and not described.cases.refused


def test_the_preprocessed_folder_and_the_folder_above(tmp_path):
    folder = nnunet(tmp_path, 1, files=False)
    (folder / "gt_segmentations").mkdir()
    with pytest.raises(
        FileNotFoundError, match="no folder imagesTr, expected a data set of nnUNet_raw, not of nnUNet_pre"
    ):
        discover_source(folder)
    nnunet(tmp_path / "raw", 1, name="Dataset001_A")
    found = discover_source(tmp_path / "raw")
    assert list(found.cases.files) == ["hc_0"] and found.notes == [
        f"the data set is Dataset001_A in {tmp_path / 'raw'}"
    ]
    nnunet(tmp_path / "raw", 1, name="Dataset002_B", files=False)
    with pytest.raises(ValueError, match=r"found 2 data sets \(Dataset001_A, Dataset002_B\), expected one of their"):
        discover_source(tmp_path / "raw")
    write_json(tmp_path / "plain/other.json", {})
    with pytest.raises(FileNotFoundError, match=r"no dataset.json in it: is it other.json\? Name the file itself"):
        discover_source(tmp_path / "plain")


def test_the_user_names_channels_that_the_file_does_not(tmp_path):
    folder = nnunet(tmp_path, 3, channels=2)
    content = json.loads((folder / "dataset.json").read_text())
    del content["channel_names"]
    write_json(folder / "dataset.json", content)
    described = discover_source(folder, ("t1", "t2"))
    assert described.channels == ("t1", "t2") and described.rules == () and not described.cases.refused
    assert names(described.cases.files["hc_2"]) == ["hc_2_0000.nii.gz", "hc_2_0001.nii.gz", "hc_2.nii.gz"]


def test_a_name_for_one_of_two_channels_is_told_where_it_stands(tmp_path):
    folder = nnunet(tmp_path, 3, channels=2, channel_names={"0": "MRI"})
    for names in (None, "a,b"):
        with pytest.raises(ValueError, match=r"or name all of them \(channel_names in dataset.json\)"):
            nifti.prepare(source=folder, target=tmp_path / "data", channels=names)
    folder = nnunet(tmp_path / "unnamed", 3, channels=2, channel_names=None)
    with pytest.raises(ValueError, match=r"or name all of them \(medkd prepare nifti --channels NAME,NAME\)"):
        nifti.prepare(source=folder, target=tmp_path / "data")
