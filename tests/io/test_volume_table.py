"""volumes.csv of an inference: its rows, and what is there already."""

import csv

import numpy as np
import pytest

from medkd.io import VolumeTable

AFFINE = np.diag([5.0, 5.0, 5.0, 1.0])


def read(table):
    with table.file.open(newline="", encoding="utf-8") as file:
        return [*csv.reader(file)]


def test_rows_of_classes_and_what_was_removed(tmp_path):
    table = VolumeTable(tmp_path / "new", {1: "kidney", 2: "tumour, left"})
    table.begin(["a"])
    raw = np.ones((2, 2, 3), dtype=np.uint8)
    labels = raw.copy()
    labels[0] = 0
    assert table.add("=a", labels, AFFINE, raw) == ", removed 6 voxels of kidney"
    assert read(table) == [
        ["case", "class", "ml", "voxels", "removed_voxels"],
        ["'=a", "kidney", "0.75", "6", "6"],
        ["'=a", "tumour, left", "0", "0", "0"],
    ]


def test_rows_of_pictures_are_pixels(tmp_path):
    table = VolumeTable(tmp_path, {1: "polyp"}, unit="pixels")
    assert table.add("a", np.eye(3, dtype=np.uint8), np.eye(4)) == ""
    assert read(table) == [["case", "class", "pixels", "removed_pixels"], ["a", "polyp", "3", "0"]]


def test_rows_of_cases_to_predict_and_of_a_kill_are_taken_out(tmp_path):
    table = VolumeTable(tmp_path, {1: "a"})
    for case in ("done", "=again", "earlier"):
        table.add(case, np.ones((1, 1, 1), np.uint8), AFFINE)
    with table.file.open("a") as file:
        file.write("cut,off")
    table.begin(["=again", "new"])
    assert [row[0] for row in read(table)] == ["case", "done", "earlier"]


def test_another_table_of_that_name_is_refused(tmp_path):
    (tmp_path / "volumes.csv").write_text("patient,age\n1,2\n")
    table = VolumeTable(tmp_path, {1: "a"})
    with pytest.raises(FileExistsError, match=r"volumes\.csv: found the columns patient,age, expected case,class,ml"):
        table.begin(["a"])
    assert (tmp_path / "volumes.csv").read_text() == "patient,age\n1,2\n"


def test_the_summary_counts_each_class_in_the_cases_of_the_call(tmp_path):
    table = VolumeTable(tmp_path / "new", {1: "kidney", 2: "tumour, left", 3: "cyst"})
    table.begin(["=a"])
    labels = np.zeros((100, 20, 20), np.uint8)
    labels[:2] = 2  # 800 voxels of 0.125 ml
    labels[2:] = 1
    table.add("=a", labels, AFFINE)
    lines = [f"1 case predicted in {tmp_path / 'new'}; volumes.csv has each", "  kidney: 4900 ml"]
    assert table.summary(["=a"]).splitlines() == [*lines, "  tumour, left: 100 ml", "  cyst: not found"]
    labels[2:] = 0
    table.add("b", labels, AFFINE)
    table.add("c", labels[:1], AFFINE)
    table.add("of an earlier call", labels, AFFINE)
    lines = [f"3 cases predicted in {tmp_path / 'new'}; volumes.csv has each"]
    lines += ["  kidney: in 1 of 3 cases, median 4900 ml (4900 to 4900)"]
    lines += ["  tumour, left: in 3 of 3 cases, median 100 ml (50 to 100)", "  cyst: in none of 3 cases"]
    assert table.summary(["=a", "b", "c", "failed"]).splitlines() == lines


def test_the_summary_of_pictures_is_in_pixels_and_short(tmp_path):
    table = VolumeTable(tmp_path, {value: f"class {value}" for value in range(1, 31)}, unit="pixels")
    table.add("a", np.full((120, 120), 1, np.uint8), None)
    lines = table.summary(["a"]).splitlines()
    assert lines[1:3] == ["  class 1: 14400 pixels", "  class 2: not found"]
    assert len(lines) == 22 and lines[-1] == "  and 10 further classes"
