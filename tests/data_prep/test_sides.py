"""Axes that may be flipped: measured on phantoms with organs on both sides, nested ones, and ones that vary."""

import json

import numpy as np
import pytest
from PIL import Image

from medkd.data import flip_axes
from medkd.data_prep import pictures
from medkd.data_prep._side_names import opposite_axes
from medkd.data_prep._sides import PICTURE_SIDES, VOLUME_SIDES, measure_positions, propose_flip_axes

from .own_volumes import CT, entries, prepare, save

SHAPE = (12, 24, 24)


def blocks(*boxes, shape=SHAPE):
    """Return a label map with boxes of first and last voxels on each axis, numbered from 1 on."""
    label = np.zeros(shape, np.uint8)
    for value, box in enumerate(boxes, 1):
        label[tuple(slice(first, last + 1) for first, last in box)] = value
    return label


def side_by_side(number):
    """Return two organs, left and right, that shift from case to case."""
    shift = number % 3
    return blocks([(2, 9), (6, 16), (2 + shift, 7 + shift)], [(3, 8), (7, 17), (13 + shift, 19)])


def nested(number):
    """Return an organ with a tumour at a place of the case."""
    row, column = np.random.default_rng(number).integers(6, 14, 2)
    return blocks([(1, 10), (4, 18), (4, 18)], [(4, 7), (row, row + 3), (column, column + 3)])


def varying(number):
    """Return two organs that change places in every second case."""
    first, second = side_by_side(number) == 1, side_by_side(number) == 2
    return (first + 2 * second if number % 2 else 2 * first + second).astype(np.uint8)


def propose(make, count=8, names=("a", "b"), sides=VOLUME_SIDES):
    positions = [measure_positions(make(number)) for number in range(count)]
    return propose_flip_axes(positions, dict(enumerate(names, 1)), sides)


def test_positions_are_centroids_and_extents():
    positions = measure_positions(blocks([(2, 9), (6, 16), (2, 7)], [(3, 3), (0, 1), (23, 23)]))
    assert positions[1].centre == (5.5, 11, 4.5) and positions[1].extent == pytest.approx((8, 11, 6))
    assert positions[2].centre == (3, 0.5, 23) and positions[2].extent == pytest.approx((1, 2, 1))
    assert measure_positions(np.zeros((4, 4), np.uint8)) == {}


def test_a_stray_voxel_hardly_moves_a_class():
    label = side_by_side(0)
    before = measure_positions(label)[1]
    label[0, 0, 23] = 1
    after = measure_positions(label)[1]
    assert np.abs(np.subtract(after.centre, before.centre)).max() < 0.1
    assert np.abs(np.subtract(after.extent, before.extent)).max() < 2


def test_organs_side_by_side_fix_their_axis_alone():
    free, lines = propose(side_by_side)
    assert free == ["slices", "rows"]
    assert lines == [
        "flips: slices and rows may be flipped in training; columns not: a lies right of b in 8 of 8 training cases "
        "(--flip_axes)"
    ]


@pytest.mark.parametrize("make", [nested, varying])
def test_nested_and_varying_organs_fix_no_axis(make):
    free, lines = propose(make)
    assert free == ["slices", "rows", "columns"]
    assert "no class lies on one side of another" in lines[0]


def test_one_exception_in_ten_cases_is_accepted():
    def make(number):
        return varying(0) if number == 3 else varying(1)

    assert propose(make, 10)[0] == ["slices", "rows"]
    assert propose(make, 9)[0] == ["slices", "rows", "columns"]


def test_few_cases_and_missing_classes_measure_nothing():
    assert propose(side_by_side, 4)[0] == ["slices", "rows", "columns"]

    def half(number):
        label = side_by_side(number)
        return label if number % 2 else np.where(label == 2, 0, label)

    assert propose(half, 8)[0] == ["slices", "rows", "columns"]
    assert propose(half, 10)[0] == ["slices", "rows"]


def test_names_fix_an_axis_without_measures():
    free, lines = propose(side_by_side, 2, ["kidney_right", "kidney_left"])
    assert free == ["slices", "rows"] and "columns not: the names kidney_right and kidney_left" in lines[0]


@pytest.mark.parametrize("names", [["left kidney"], ["kidney"]])
def test_a_single_class_keeps_all_flips(names):
    free, lines = propose(side_by_side, 8, names)
    assert free == ["slices", "rows", "columns"] and "; one class (--flip_axes)" in lines[0]
    assert len(lines) == (2 if "left" in names[0] else 1)


@pytest.mark.parametrize("make", [side_by_side, varying])
def test_classes_that_lie_against_their_names_are_named(make):
    lines = propose(make, 8, ["left", "right"])[1]
    count = 0 if make is side_by_side else 4
    assert lines[1].startswith(f"look: left lies left of right in {count} of 8 training cases alone")


def test_more_pairs_are_counted():
    def three(number):
        return blocks(*([(2, 9), (6, 16), (start, start + 4)] for start in (1, 8, 15)))

    assert "columns not: a lies right of b in 8 of 8 training cases, and 2 more pairs" in propose(three, 8, "abc")[1][0]


def test_axes_of_pictures():
    def make(number):
        return side_by_side(number)[5]

    assert propose(make, 8, "ab", PICTURE_SIDES)[0] == ["rows"]
    assert "a lies left of b" in propose(make, 8, "ab", PICTURE_SIDES)[1][0]
    # which axis of a picture is anterior is unknown
    assert propose(make, 2, ["anterior", "posterior"], PICTURE_SIDES)[0] == ["rows", "columns"]
    assert propose(make, 2, ["upper", "lower"], PICTURE_SIDES)[0] == ["columns"]
    assert propose(make, 2, ["L", "R"], PICTURE_SIDES)[0] == ["rows"]


@pytest.mark.parametrize(
    ("first", "second", "axes"),
    [
        ("left_kidney", "right_kidney", ["columns"]),
        ("Kidney L", "Kidney R", ["columns"]),
        ("LeftLung", "RightLung", ["columns"]),
        ("lungleft", "lungright", ["columns"]),
        ("KIDNEY-LT", "kidney, rt", ["columns"]),
        ("kidney (left)", "right kidney", ["columns"]),
        ("LV", "RV", ["columns"]),
        ("lHippocampus", "rHippocampus", ["columns"]),
        ("upper lobe left", "lower lobe left", ["slices"]),
        ("upper_left", "lower_right", ["slices", "columns"]),
        ("anterior", "posterior", ["rows"]),
        ("Ant. horn", "Post. horn", ["rows"]),
        ("left kidney", "right lung", []),
        ("liver", "spleen", []),
        ("L1", "L2", []),
        ("left lung", "left lung lesion", []),
        ("bright spot", "spot", []),
    ],
)
def test_sides_in_names(first, second, axes):
    assert sorted(opposite_axes(first, second)) == sorted(axes)
    assert opposite_axes(second, first) == {axis: -side for axis, side in opposite_axes(first, second).items()}


def test_prepare_proposes_them(tmp_path):
    """The stored columns run to the left: the first axis of these files runs to the right, so it is turned."""
    generator = np.random.default_rng(0)
    for number in range(9):
        label = side_by_side(number).transpose(2, 1, 0)
        image = generator.normal(40, 5, label.shape) + 40 * label
        image[0] = -1000
        save(tmp_path / f"images/c{number}.nii.gz", image.astype(np.int16), CT @ np.diag([-1, 1, 1, 1]))
        save(tmp_path / f"labels/c{number}.nii.gz", label, CT @ np.diag([-1, 1, 1, 1]))
    prepare(tmp_path, classes="spleen,liver")
    assert flip_axes(tmp_path / "out", "3d") == ["slices", "rows"] and flip_axes(tmp_path / "out") == ["rows"]
    assert json.loads((tmp_path / "out/report.json").read_text())["flip_axes"] == ["slices", "rows"]
    assert "columns not: spleen lies left of liver in" in (tmp_path / "out/report.md").read_text()
    assert len(entries(tmp_path / "out")) == 9


def test_prepare_of_pictures_proposes_them(tmp_path):
    for number in range(9):
        label = side_by_side(number)[5]
        image = np.random.default_rng(number).integers(0, 99, label.shape, np.uint8) + 60 * label
        for kind, array in (("images", image), ("labels", label)):
            (tmp_path / kind).mkdir(exist_ok=True)
            Image.fromarray(array).save(tmp_path / kind / f"c{number}.png")
    pictures.prepare(
        tmp_path / "images", tmp_path / "labels", tmp_path / "out", classes="lung R,lung L", split="sorted"
    )
    assert flip_axes(tmp_path / "out") == ["rows"]
    report = (tmp_path / "out/report.md").read_text()
    assert "flips: rows may be flipped in training; columns not: lung R lies left of lung L in" in report
