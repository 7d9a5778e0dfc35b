"""Methods that the images of a training cannot teach, and parts of them that have no effect without labels."""

import pytest

from medkd import methods


@pytest.mark.parametrize("name", methods.names())
def test_pseudo_alone_needs_unlabelled_images(name):
    methods.check_images(name, None, labelled=3, unlabelled=1)
    if name != "pseudo":
        methods.check_images(name, None, labelled=3, unlabelled=0)
        return
    with pytest.raises(
        ValueError, match=r"method pseudo: found no unlabelled images, expected some \(--unlabelled\), or"
    ):
        methods.check_images(name, None, labelled=3, unlabelled=0)
    methods.check_images(name, {"labelled": True}, labelled=3, unlabelled=0)


@pytest.mark.parametrize(
    ("name", "args", "note"),
    [
        ("cirkd", {}, "the memory of cirkd stays empty and its pixel and region terms are 0"),
        ("cirkd", {"pixel": 0.0}, "the memory of cirkd stays empty"),
        ("cirkd", {"pixel": 0.0, "region": 0.0}, ""),
        ("swap", {}, "no soft label is corrected: the student learns as by --method kd"),
        ("plckd", {"base": "cwd"}, "no soft label is corrected: the student learns as by --method cwd"),
        ("emkd", {}, ""),
        ("pseudo", {}, ""),
    ],
)
def test_what_has_no_effect_without_labels_is_said(capsys, name, args, note):
    methods.note_images(name, args, labelled=1, unlabelled=1)
    assert capsys.readouterr().out == ""
    methods.note_images(name, args, labelled=0, unlabelled=1)
    printed = capsys.readouterr().out
    assert note in printed and bool(note) == printed.startswith(f"note: method {name}: no image has a label")
