"""Cases of Decathlon tasks, and of the lists that programs of MONAI write."""

import shutil

import pytest

from medkd.data_prep._described_source import discover_source

from .described_sources import MRI, V1_LABELS, copy_case, decathlon, write_case, write_json

UNUSED = "left out: 2 listed images: images without labels; --unlabelled FOLDER takes some into a distillation"


def pairs(*numbers, **extra):
    return [{"image": f"imagesTr/hc_{n}.nii.gz", "label": f"labelsTr/hc_{n}.nii.gz", **extra} for n in numbers]


def test_a_task(tmp_path):
    described = discover_source(decathlon(tmp_path))
    assert list(described.cases.files) == [f"hc_{number}" for number in range(5)]
    files = described.cases.files["hc_3"]
    assert [path.parts[-2:] for path in (*files.images, files.label)] == [
        ("imagesTr", "hc_3.nii.gz"),
        ("labelsTr", "hc_3.nii.gz"),
    ]
    assert described.channels == ("MRI",) and described.classes == {1: "Anterior", 2: "Posterior"}
    assert described.notes == [UNUSED] and not described.folds


@pytest.mark.parametrize(
    "test",
    [
        ["./imagesTs/a.nii.gz", "./imagesTs/b.nii.gz"],
        [{"image": "./imagesTs/a.nii.gz"}, {"image": "./imagesTs/b.nii.gz"}],
        [{"image": "a.nii.gz", "label": None}, {"image": ["b.nii.gz"], "label": []}],
    ],
)
def test_forms_of_the_list_test(tmp_path, test):
    assert discover_source(decathlon(tmp_path, 1, test=test)).notes == [UNUSED]
    described = discover_source(decathlon(tmp_path, 1, name="other", test=None, testing=test))
    assert described.notes == [UNUSED]


def test_images_of_validation_without_labels_are_left_out(tmp_path):
    described = discover_source(
        decathlon(tmp_path, 2, validation=["./imagesVal/a.nii.gz"], test=["./imagesTs/b.nii.gz"])
    )
    assert described.notes == [UNUSED]


def test_labels_of_test_images(tmp_path):
    folder = decathlon(tmp_path, 3)
    copy_case(folder, "hc_90", images="imagesTs", labels="labelsTs")
    assert discover_source(folder).cases.published["hc_90"] == "test"
    decathlon(tmp_path, 3, test=[{"image": "imagesTs/hc_90.nii.gz", "label": "labelsTs/hc_90.nii.gz"}])
    described = discover_source(folder)
    assert described.cases.published["hc_90"] == "test" and not described.notes


def test_lists_of_monai(tmp_path):
    folder = decathlon(tmp_path, training=pairs(0, 1, 2), validation=pairs(3), test=pairs(4), numTraining=None)
    published = discover_source(folder).cases.published
    assert [published[f"hc_{number}"] for number in range(5)] == ["training"] * 3 + ["validation", "test"]
    folds = pairs(0, 1, fold=0) + pairs(2, 3, fold=1) + pairs(4, fold=2)
    content = {"training": folds, "testing": [{"image": "x.nii.gz"}]}
    write_json(folder / "dataset_0.json", content)
    described = discover_source(folder / "dataset_0.json")
    assert described.folds == {"hc_0": 0, "hc_1": 0, "hc_2": 1, "hc_3": 1, "hc_4": 2}
    assert described.channels == () and described.classes == {}
    write_json(folder / "dataset_0.json", {"training": pairs(0, 1, fold=0)})
    assert discover_source(folder / "dataset_0.json").folds == {}


def test_images_with_several_channels(tmp_path):
    one = decathlon(
        tmp_path, 0, modality={"0": "T2", "1": "ADC"}, training=[{"image": "a4d.nii.gz", "label": "a.nii.gz"}]
    )
    write_case(one, ["a4d.nii.gz"], "a.nii.gz")
    assert [path.name for path in discover_source(one).cases.files["a4d"].images] == ["a4d.nii.gz"]
    brats = [f"Training/B_{n}/B_{n}" for n in range(2)]
    training = [
        {"fold": n, "image": [f"{case}_{name}.nii.gz" for name in ("flair", "t2")], "label": f"{case}_seg.nii.gz"}
        for n, case in enumerate(brats)
    ]
    folder = tmp_path / "brats"
    for entry in training:
        write_case(folder, entry["image"], entry["label"])
    write_json(folder / "brats21_folds.json", {"training": training})
    described = discover_source(folder / "brats21_folds.json")
    assert list(described.cases.files) == ["B_0", "B_1"] and not described.notes
    assert [path.name for path in described.cases.files["B_1"].images] == ["B_1_flair.nii.gz", "B_1_t2.nii.gz"]


def test_the_first_channel_stands_for_all(tmp_path):
    folder = decathlon(
        tmp_path, 0, modality={"0": "a", "1": "b"}, training=[{"image": "i/c_0000.nii.gz", "label": "l/c.nii.gz"}]
    )
    write_case(folder, ["i/c_0000.nii.gz", "i/c_0001.nii.gz"], "l/c.nii.gz")
    files = discover_source(folder).cases.files
    assert [path.name for path in files["c"].images] == ["c_0000.nii.gz", "c_0001.nii.gz"]


@pytest.mark.parametrize(
    ("prefix", "note"),
    [
        ("", False),
        ("./", False),
        (".\\", False),
        ("./x/../", False),
        ("C:\\Users\\me\\Task04_Hippocampus\\", True),
        ("/home/me/data/Task04_Hippocampus/", True),
        ("Task04_Hippocampus/", True),
        ("absolute", False),
    ],
)
def test_paths_of_other_machines(tmp_path, prefix, note):
    folder = decathlon(tmp_path, 2, test=None, files=False)
    (folder / "x").mkdir()
    for number in range(2):
        write_case(folder, [f"imagesTr/hc_{number}.nii.gz"], f"labelsTr/hc_{number}.nii.gz", number)
    start = f"{folder}/" if prefix == "absolute" else prefix
    training = [{key: f"{start}{path}" for key, path in pair.items()} for pair in pairs(0, 1)]
    if "\\" in prefix:
        training = [{key: path.replace("/", "\\") for key, path in pair.items()} for pair in training]
    decathlon(tmp_path, 2, files=False, test=None, training=training)
    described = discover_source(folder)
    assert list(described.cases.files) == ["hc_0", "hc_1"]
    assert bool(described.notes) == note
    if note:
        assert described.notes[0].startswith("4 files are listed with another folder in front, found by the last parts")


def test_other_suffixes_capitals_and_accents(tmp_path):
    folder = decathlon(tmp_path, 0, training=[*pairs(0), {"image": "imagesTr/é.nii.gz", "label": "labelsTr/É.NII"}])
    write_case(folder, ["imagesTr/hc_0.nii"], "labelsTr/HC_0.nii.gz")
    write_case(folder, ["imagesTr/é.nii.gz"], "labelsTr/É.nii")  # decomposed
    described = discover_source(folder)
    assert sorted(described.cases.files) == ["hc_0", "é"] and not described.cases.refused
    assert any("listed with another suffix or other capitals, found by the name" in note for note in described.notes)


def test_cases_in_folders_of_their_own(tmp_path):
    training = [{"image": f"p{n}/image.nii.gz", "label": f"p{n}/label.nii.gz"} for n in range(2)]
    folder = decathlon(tmp_path, 0, test=None, numTraining=2, training=training)
    for n in range(2):
        write_case(folder, [f"p{n}/image.nii.gz"], f"p{n}/label.nii.gz", n)
    described = discover_source(folder)
    assert list(described.cases.files) == ["p0", "p1"]
    assert described.notes == ["cases are named by their folders: several files have one name"]
    deep = [{"image": f"{site}/p1/i.nii.gz", "label": f"{site}/p1/l.nii.gz"} for site in "ab"]
    for entry in deep:
        write_case(folder, [entry["image"]], entry["label"])
    decathlon(tmp_path, 0, test=None, numTraining=2, training=deep)
    assert list(discover_source(folder).cases.files) == ["a_p1_i", "b_p1_i"]


def test_missing_repeated_and_extra_cases(tmp_path):
    training = [*pairs(0, 1, 2, 1), {"image": "imagesTr/hc_9.nii.gz", "label": "labelsTr/hc_9.nii.gz"}]
    folder = decathlon(tmp_path, 4, test=[*pairs(2)], training=training, numTraining=5)
    (folder / "labelsTr/hc_0.nii.gz").unlink()
    (folder / "labelsTr/hc_0.nii.gz").symlink_to(tmp_path / "gone")
    described = discover_source(folder)
    assert described.cases.refused == {
        "hc_0": "training[0]: labelsTr/hc_0.nii.gz: no such file: a link to a file that is not there: fetch it "
        "(git annex get, datalad get)",
        "hc_1": "listed as training[1] and as training[3], expected each image once",
        "hc_2": "listed as training[2] and as test[0], expected each image once",
        "hc_9": "training[4]: imagesTr/hc_9.nii.gz: no such file",
    }
    assert not described.cases.files
    assert "numTraining: found 5 in dataset.json, there are 4 cases" in described.notes
    assert any(note.startswith("left out: imagesTr, 1 of 4 files (hc_3.nii.gz): they") for note in described.notes)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"training": {"image": "x"}}, "training: found {'image': 'x'}, expected a list of cases"),
        ({"training": ["imagesTr/a.nii.gz"]}, "training[0]: found imagesTr/a.nii.gz, expected an image with a label"),
        ({"training": [{"image": "a.nii.gz"}]}, "training[0]: found no label in {'image': 'a.nii.gz'}"),
        ({"training": [{"label": "a.nii.gz"}]}, "training[0]: found {'label': 'a.nii.gz'}, expected an image"),
        ({"training": [{"image": "a.nii.gz", "label": 0}]}, "training[0]: label: found 0, expected the path of a file"),
        ({"training": [{"image": [], "label": "b"}]}, "training[0]: found no image in"),
        ({"training": [{"image": "a", "label": ["b", "c"]}]}, "training[0]: found 2 label maps, expected one"),
        ({"training": pairs(0, fold="x")}, "training[0]: fold: found 'x', expected a whole number"),
        ({"training": pairs(0), "train": pairs(0)}, "found the lists training and train, expected one of them"),
        (
            {"training": None, "labels": None, "modality": None, "test": None},
            "found name, tensorImageSize, numTraining",
        ),
    ],
)
def test_other_forms(tmp_path, content, words):
    with pytest.raises(ValueError) as error:
        discover_source(decathlon(tmp_path, 1, **content))
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(tmp_path, encoding):
    folder = decathlon(tmp_path, 1)
    content = {"labels": {"0": "background", "1": "Läsion"}, "modality": MRI, "training": pairs(0)}
    write_json(folder / "dataset.json", content, encoding)
    assert discover_source(folder).classes == {1: "Läsion"}


@pytest.mark.parametrize("text", ["{", '{"labels": {},}', "[]", "3", '{"labels": {"0": "a", "0": "b"}}'])
def test_no_json(tmp_path, text):
    write_json(tmp_path / "dataset.json", text)
    with pytest.raises(ValueError, match="dataset.json: (not valid JSON|holds a)"):
        discover_source(tmp_path)


def test_a_folder_in_a_folder_of_the_same_name_and_links(tmp_path):
    inner = decathlon(tmp_path / "Task04_Hippocampus", 2, test=None)
    (tmp_path / "__MACOSX").mkdir()
    assert list(discover_source(tmp_path / "Task04_Hippocampus").cases.files) == ["hc_0", "hc_1"]
    (tmp_path / "link").symlink_to(inner, target_is_directory=True)
    assert not discover_source(tmp_path / "link").notes
    shutil.move(inner / "imagesTr/hc_0.nii.gz", tmp_path / "store.nii.gz")
    (inner / "imagesTr/hc_0.nii.gz").symlink_to(tmp_path / "store.nii.gz")
    described = discover_source(inner)
    assert list(described.cases.files) == ["hc_0", "hc_1"] and not described.notes


def test_lists_of_pictures(tmp_path):
    folder = decathlon(tmp_path, 0, training=[{"image": "a.png", "label": "b.png"}], labels=V1_LABELS)
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(b"")
    with pytest.raises(
        ValueError, match=r"found 2 files .png, expected volumes; pictures are prepared by medkd prepare pic"
    ):
        discover_source(folder)
