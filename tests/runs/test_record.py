"""What a model was trained with, compared to what it is used with."""

import pytest

from medkd.runs.record import check_assistant, check_model, check_student, recorded


def test_model_is_used_as_it_was_trained(tmp_path):
    check_model(tmp_path, window=[-200, 300])  # nothing known of it
    (tmp_path / "config.yaml").write_text("bundle_root: b\nwindow: [-200, 300]\ntarget: tumour\n")
    check_model(tmp_path, window=(-200, 300), target="tumour", unknown=1)
    for path in (tmp_path, tmp_path / "model.pt"):
        with pytest.raises(ValueError, match=r"trained with --window \[-200, 300\], this command has \[0, 5\]"):
            check_model(path, window=[0, 5])


def test_assistant_of_another_teacher_is_noted(tmp_path, capsys):
    for name, weights in (("first", b"one"), ("moved", b"one"), ("second", b"two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.pt").write_bytes(weights)
    (tmp_path / "assistant").mkdir()
    (tmp_path / "assistant/config.yaml").write_text(f"bundle_root: b\nteacher: {tmp_path}/first\n")
    for teacher in ("first", "first/model.pt", "moved", "gone"):
        check_assistant(tmp_path / "assistant", tmp_path / teacher)
    check_assistant(tmp_path / "first", tmp_path / "second")  # without a record
    assert capsys.readouterr().out == ""
    check_assistant(tmp_path / "assistant/model.pt", tmp_path / "second")
    note = f"was trained for the teacher {tmp_path}/first, the teacher here is {tmp_path}/second\n"
    assert capsys.readouterr().out == f"note: {tmp_path}/assistant/model.pt {note}"


def test_file_of_another_tool_is_no_record(tmp_path):
    (tmp_path / "config.yaml").write_text("defaults: [a]\nwindow: [0, 5]\n")
    check_model(tmp_path, window=[-200, 300])
    assert recorded(tmp_path, "window", 7) == 7


@pytest.mark.parametrize("text", ["- window\n", "window", "", "a: [1", "a: !!x 1", "\0"])
def test_a_damaged_record_is_not_a_missing_one(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    for use in (
        lambda: check_model(tmp_path, window=[-200, 300]),
        lambda: check_student(tmp_path, "export"),
        lambda: check_assistant(tmp_path, tmp_path),
        lambda: recorded([tmp_path], "window", 7),
    ):
        with pytest.raises(ValueError, match=r"config.yaml: .*, expected the record of a run"):
            use()


def test_recorded_value_or_default(tmp_path):
    (tmp_path / "config.yaml").write_text("bundle_root: b\nstudent_width: 3\nboundary_ratio: $1 / 2\n")
    assert recorded(tmp_path / "model.pt", "student_width", 5) == recorded(tmp_path, "student_width", 5) == 3
    assert recorded(tmp_path, "boundary_ratio", 1.0) == 1.0 and recorded(tmp_path, "other", 7) == 7
    assert recorded(tmp_path / "nowhere/model.pt", "student_width", 5) == 5


def test_resolved_values_come_before_expressions(tmp_path):
    resolved = "trained_with: {classes: {1: liver}, window: [0, 9], target: all, image_size: '@size'}\n"
    (tmp_path / "config.yaml").write_text(f"window: $data.window()\nimage_size: [3]\noverlap: $1\n{resolved}")
    assert recorded(tmp_path, "window") == [0, 9] and recorded(tmp_path, "target") == "all"
    assert recorded(tmp_path, "image_size") == [
        3
    ]  # a record of before: its trained_with is as the configuration has it
    check_model(tmp_path, classes={1: "liver"}, window=(0, 9), image_size=[3], overlap=5)
    with pytest.raises(
        ValueError, match=r"trained on data with classes \{1: 'liver'\}, this data set has \{1: 'spleen'\}"
    ):
        check_model(tmp_path, classes={1: "spleen"})
    with pytest.raises(
        ValueError, match="no config.yaml beside it says its overlap: give the output folder of the run"
    ):
        recorded(tmp_path, "overlap")


def test_students_alone(tmp_path):
    check_student(tmp_path, "export")
    for method in ("teacher", "boundary_assistant"):
        (tmp_path / "config.yaml").write_text(f"bundle_root: b\nmethod: {method}\n")
        with pytest.raises(ValueError, match=f"is a {method.replace('_', ' ')}: medkd export takes students alone"):
            check_student(tmp_path / "model.pt", "export")


def test_model_of_the_other_mode(tmp_path):
    (tmp_path / "config.yaml").write_text("bundle_root: b\ntrained_with: {mode: 3d}\n")
    with pytest.raises(
        ValueError, match=r"is a network of volumes \(it was trained with --mode 3d\), this .* of slices"
    ):
        check_model(tmp_path, mode="2d")


def test_unfinished_run_is_noted(tmp_path, capsys):
    (tmp_path / "resume.pt").touch()
    check_model([tmp_path])
    assert capsys.readouterr().out == f"note: the run of {tmp_path} has not ended: its best model so far is used\n"
    (tmp_path / "metrics.csv").touch()
    check_model(tmp_path)
    assert capsys.readouterr().out == ""
