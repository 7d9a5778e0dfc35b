"""A student without a label: images alone, a teacher, and agreement with it, as docs/how-to/unlabelled.md draws it."""

import csv
import json

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.data_prep.test_unlabelled import write_images, write_pictures


@pytest.mark.slow
def test_a_student_learns_from_a_teacher_alone_and_is_measured_by_its_agreement(tmp_path, medkd_run, capsys):
    write_pictures(tmp_path / "source", 6)
    folders = ["--images", tmp_path / "source/images", "--labels", tmp_path / "source/labels"]
    assert medkd_run("prepare", "pictures", *folders, "--dataset_dir", tmp_path / "labelled", tiny=False) == 0
    teacher = ["--role", "teacher", "--dataset_dir", tmp_path / "labelled", "--output_dir", tmp_path / "teacher"]
    assert medkd_run("train", "pictures", *teacher) == 0
    write_images(tmp_path / "scans", *range(20, 28))
    data = ["--dataset_dir", tmp_path / "data"]
    alone = ["--images", tmp_path / "scans", "--unlabelled_only", "True", "--classes", "foreground"]
    assert medkd_run("prepare", "pictures", *alone, *data, tiny=False) == 0
    capsys.readouterr()

    student = tmp_path / "student"
    options = [
        "--method",
        "kd",
        "--teacher",
        tmp_path / "teacher",
        "--unlabelled",
        "all",
        *data,
        "--output_dir",
        student,
    ]
    assert medkd_run("distill", "pictures", *options) == 1  # labels are asked for
    assert "found a data set without labels" in capsys.readouterr().err and not student.exists()
    assert medkd_run("train", "pictures", *data, "--output_dir", student) in (1, 2)
    assert "found a data set without labels" in capsys.readouterr().err and not student.exists()

    assert medkd_run("distill", "pictures", *options, "--training_cases", 0) == 0
    printed = capsys.readouterr().out
    assert "the teacher's label maps of 3 validation and test cases stand in their place" in printed
    assert "val_agreement_dice" in printed and "val_mean_dice" not in printed
    assert "foreground [whole], agreement with the teacher: dice" in printed
    with open(student / "metrics.csv", newline="") as file:
        columns = next(csv.reader(file))
    assert "agreement_dice" in columns and "dice" not in columns
    assert {name.split("_")[0] for name in json.loads((student / "summary.json").read_text())["foreground"]} == {
        "agreement"
    }
    tags = set()
    for events in student.glob("events*"):
        tags |= set(EventAccumulator(str(events)).Reload().Tags()["scalars"])
    assert "val_agreement_dice" in tags and "val_mean_dice" not in tags

    assert medkd_run("evaluate", "pictures", "--model", student, *data, "--output_dir", tmp_path / "evaluation") == 0
    assert (tmp_path / "evaluation/metrics.csv").read_text() == (student / "metrics.csv").read_text()
    words = ["--model", student, *data, "--device", "cpu"]
    for form in ("torchscript", "onnx-int8"):
        exported = ["--format", form, "--output_dir", tmp_path / form]
        assert medkd_run("export", "pictures", *words, *exported) == 0
        assert "agreement with the teacher (Dice)" in capsys.readouterr().out
        facts = json.loads(next((tmp_path / form).glob("student*.json")).read_text())
        assert facts["agreement_dice"]["foreground"]["n"] and "dice" not in facts
    compared = ["--run", f"a={student}", "--run", f"b={tmp_path / 'evaluation'}", *data]
    assert medkd_run("figures", "pictures", *compared, "--output_dir", tmp_path / "figures", tiny=False) == 0
    assert (tmp_path / "figures/comparison.png").is_file()
    report = ["report", "--run", f"kd={student}", "--html", "--output_dir", tmp_path / "report"]
    from medkd.cli.main import main

    assert main([*map(str, report)]) == 0
    assert "agreement with the teacher: Dice, %" in (tmp_path / "report/table.md").read_text()
    page = (tmp_path / "report/report.html").read_text()
    assert "agreement with the teacher (Dice)" in page and "teacher's label map" in page.replace("&#39;", "'")
    assert "found a data set without labels" not in page  # the worst cases are shown


def test_a_method_on_feature_maps_alone_is_refused(teachers, kits19_data, medkd_run, tmp_path, capsys):
    """The student has no decoder, so `recommended` is HLFD, whose terms do not reach the last layer."""
    words = ["--teacher", teachers["kits19"], "--dataset_dir", kits19_data, "--output_dir", tmp_path / "run"]
    assert medkd_run("distill", "kits19", *words, "--training_cases", 0, "--unlabelled", "rest") in (1, 2)
    assert "method recommended: found no label" in capsys.readouterr().err and not (tmp_path / "run").exists()
    assert medkd_run("train", "kits19", *words[2:], "--training_cases", 0) in (1, 2)
    assert "without a label a student learns by medkd distill" in capsys.readouterr().err
