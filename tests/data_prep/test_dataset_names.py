"""Names of classes and channels in dataset.json: every documented form, and what is refused."""

import pytest

from medkd.data_prep._dataset_names import channel_rule, read_channel_names, read_label_names

# The ten tasks of the Decathlon: labels and modalities as their dataset.json have them.
DECATHLON = {
    "Task01_BrainTumour": (
        {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"},
        {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"},
    ),
    "Task02_Heart": ({"0": "background", "1": "left atrium"}, {"0": "MRI"}),
    "Task03_Liver": ({"0": "background", "1": "liver", "2": "cancer"}, {"0": "CT"}),
    "Task04_Hippocampus": ({"0": "background", "1": "Anterior", "2": "Posterior"}, {"0": "MRI"}),
    "Task05_Prostate": ({"0": "background", "1": "PZ", "2": "TZ"}, {"0": "T2", "1": "ADC"}),
    "Task06_Lung": ({"0": "background", "1": "cancer"}, {"0": "CT"}),
    "Task07_Pancreas": ({"0": "background", "1": "pancreas", "2": "cancer"}, {"0": "CT"}),
    "Task08_HepaticVessel": ({"0": "background", "1": "Vessel", "2": "Tumour"}, {"0": "CT"}),
    "Task09_Spleen": ({"0": "background", "1": "spleen"}, {"0": "CT"}),
    "Task10_Colon": ({"0": "background", "1": "colon cancer primaries"}, {"0": "CT"}),
}


def labels_of(labels, **content):
    return read_label_names({"labels": labels, **content}, "dataset.json")


@pytest.mark.parametrize("task", DECATHLON)
def test_labels_and_channels_of_the_decathlon(task):
    labels, modality = DECATHLON[task]
    names = {int(value): name for value, name in labels.items() if value != "0"}
    assert labels_of(labels) == (names, [])
    assert labels_of({name: int(value) for value, name in labels.items()}) == (names, [])  # the same in nnU-Net v2
    channels = tuple(modality.values())
    assert read_channel_names({"modality": modality}, "dataset.json") == (channels, [])
    assert read_channel_names({"channel_names": modality, "modality": modality}, "") == (channels, [])
    assert channel_rule(channels[0])[0] == ("ct" if channels == ("CT",) else None)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"background": 0, "b": 2, "a": 1}, {1: "a", 2: "b"}),
        ({"0": "background", "3": "tumour", "1": "kidney"}, {1: "kidney", 3: "tumour"}),
        ({"background": "0", "liver": "1"}, {1: "liver"}),
        ({"background": 0, "liver": 1.0}, {1: "liver"}),
        ({"background": 0, "liver": [1], "tumour": [2]}, {1: "liver", 2: "tumour"}),
        ({"background": 0, "1": 1, "2": 2}, {1: "1", 2: "2"}),
        ({"0": "0", "1": "1"}, {1: "1"}),
        ({"1": "liver"}, {1: "liver"}),
        (["background", "liver"], {1: "liver"}),
        ({"0": "background", "1": " Läsion "}, {1: "Läsion"}),
        ({"0": "background", "1": "Läsion"}, {1: "Läsion"}),  # decomposed, as macOS writes it
        ({"0": "background", "10": "j", "9": "i"}, {9: "i", 10: "j"}),
    ],
)
def test_forms_of_labels(labels, expected):
    names, notes = labels_of(labels)
    assert names == expected and list(names) == sorted(names) and not notes


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (
            {"background": 0, "whole": [1, 2], "core": 2},
            "whole is a region of several values, [1, 2], expected one value",
        ),
        ({"background": 0, "a": 1, "ignore": 2}, "ignore (value 2) is an ignore label, expected classes alone"),
        ({"0": "background", "1": "a", "255": "Ignore"}, "Ignore (value 255) is an ignore label"),
        ({"background": 0, "a": 1, "b": 1}, "the value 1 is there twice"),
        ({"0": "background", "1": "a", "2": "a"}, "the name 'a' is there twice"),
        ({"background": 0, "a": 256}, "a has the value 256, expected a whole number from 0 to 255"),
        ({"background": 0, "a": -1}, "a has the value -1"),
        ({"background": 0, "a": 1.5}, "a has the value 1.5"),
        ({"background": 0, "a": True}, "a has the value True"),
        ({"background": 0}, "found no value above 0"),
        ({"background": 0, "a": "one"}, "'a': 'one', expected name: value (nnU-Net) or value: name (Decathlon)"),
        ({"0": "background", "1": None}, "found None, expected the name of a class"),
        ({}, "found {}, expected names with their values"),
        ("liver", "found liver, expected names with their values"),
        (3, "found 3, expected names with their values"),
    ],
)
def test_refused_labels(labels, words):
    with pytest.raises(ValueError, match="^dataset.json: labels: ") as error:
        labels_of(labels)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_what_is_harmless_in_labels_is_a_note():
    assert labels_of({"background": 0, "a": 1}, regions_class_order=[1]) == (
        {1: "a"},
        ["regions_class_order has no effect: no label is a region"],
    )
    assert labels_of({"0": "lumen", "1": "wall"})[1] == [
        "labels: the value 0 is called 'lumen', and is taken as background"
    ]
    assert read_label_names({}, "") == ({}, []) and read_channel_names({}, "") == ((), [])


@pytest.mark.parametrize(
    ("channels", "expected", "words"),
    [
        ({"0": "T1", "1": "T2"}, ("T1", "T2"), ""),
        ({"1": "T2", "0": "T1"}, ("T1", "T2"), ""),
        ({"10": "k", "9": "j", **{str(n): f"c{n}" for n in range(9)}}, (*(f"c{n}" for n in range(9)), "j", "k"), ""),
        ({"1": "CT"}, ("CT",), "the channels are numbered 1, expected 0, 1, ...: taken in order"),
        (["T1", "T2"], ("T1", "T2"), ""),
        ("MRI", ("MRI",), ""),
        ({"0": "noNorm", "1": "noNorm"}, ("noNorm_0", "noNorm_1"), "told apart by their numbers: noNorm_0, noNorm_1"),
    ],
)
def test_forms_of_channels(channels, expected, words):
    for key in ("channel_names", "modality"):
        names, notes = read_channel_names({key: channels}, "dataset.json")
        assert names == expected and len(notes) == bool(words) and words in "".join(notes)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"channel_names": {"0": "a"}, "modality": {"0": "b"}}, "channel_names and modality differ"),
        ({"modality": {"T1": "0"}}, "modality: found {'T1': '0'}, expected number: name"),
        ({"channel_names": {"0": ""}}, "channel_names: found '', expected the name of a channel"),
        ({"channel_names": {"0": 1}}, "channel_names: found 1, expected the name of a channel"),
        ({"channel_names": 3}, "channel_names: found 3, expected number: name"),
    ],
)
def test_refused_channels(content, words):
    with pytest.raises(ValueError, match="^dataset.json: ") as error:
        read_channel_names(content, "dataset.json")
    assert words in str(error.value)


def test_rules_of_nnunets_normalisations():
    rules = {
        name: channel_rule(name)[0] for name in ("CT", "ct", "CT_0", "zscore", "noNorm", "noNorm_1", "rgb_to_0_1", "T2")
    }
    ct, other = "ct", "other"
    assert list(rules.values()) == [ct, ct, ct, other, other, other, other, None]
    assert channel_rule("rescale_to_0_1")[1].endswith("its own percentiles (nnU-Net: 0 to 1)")
