"""Kinds of values, and the words true, false and null."""

import pytest

from medkd.configs.values import check_monai_words, check_value, convert_words

CONFIG = {
    "amp": "$x",
    "max_epochs": 3,
    "patience": None,
    "method": "none",
    "spacing": [1, 1, 1],
    "free": None,
    "teacher": "a",
}


def test_words_become_what_they_mean():
    options = {"amp": "true", "patience": "null", "spacing": None, "method": "none", "free": "False", "teacher": "none"}
    expected = {
        "amp": True,
        "patience": "$None",
        "spacing": "$None",
        "method": "none",
        "free": False,
        "teacher": "none",
    }
    assert convert_words(options, CONFIG) == expected
    assert convert_words({"max_epochs": "null"}, CONFIG) == {"max_epochs": None}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"amp": "false"}, "--amp false does not mean false to MONAI: write False"),
        ({"max_epochs": None}, r"--max_epochs None does not mean None to MONAI: write '\$None'"),
    ],
)
def test_monai_reads_them_otherwise(options, message):
    with pytest.raises(ValueError, match=message):
        check_monai_words(options, CONFIG)
    check_monai_words({"amp": True, "method": "none"}, CONFIG)


@pytest.mark.parametrize(
    ("name", "value", "default", "message"),
    [
        ("window", [300, -200], [0, 1], "the lowest and the highest intensity"),
        ("window", ["a", "b"], "$x", "the lowest and the highest intensity"),
        ("spacing", 3, "$x", r"expected a list such as \[3.0,0.8,0.8\]"),
        ("teacher", [1, 2], "a", "expected a path"),
        ("protocol", "paper", "whole", "expected one of whole, hlfd"),
        ("num_classes", 3, "$len(@classes) + 1", "is computed from the data set"),
        ("mode", "3d", "2d", "add bundles/overlays/volumetric.yaml"),
        ("training_cases", -1, None, "a whole number from 0 on"),
        ("other", [1, 2], 3, "expected a number"),
        ("device", "gpu", "$x", "found 'gpu', expected cpu, cuda"),
        ("runs", "a", {}, "expected names and values"),
        ("max_epochs", "@epochs", 3, "a whole number from 1 on"),
        ("learning_rate", "$__import__('os')", 0.1, "a number"),
        ("learning_rate", float("nan"), 0.1, "a number"),
        ("teacher_layers", 10**9, 12, "a whole number from 1 to 1000"),
        ("student_width", 0, 16, "a whole number from 1 to 65536"),
        ("image_size", ["$1", 96], [64, 64], r"a list such as \[64,64\]"),
        ("max_epochs", "$None", 3, "a whole number from 1 on"),
        ("team_figures::output_dir", 3, "x", "expected a path: write ./3"),
        ("flip_axes", "left", "$x", "found 'left', expected one or several of slices, rows, columns, or None"),
        ("flip_axes", [0, 1], "$x", r"found \[0, 1\], expected one or several of slices, rows, columns, or None"),
        ("flip_axes", ["rows", "colums"], "$x", "expected one or several of slices"),
        ("flip_axes", True, "$x", "found True, expected one or several of slices"),
        (
            "test::overlays",
            True,
            {"_target_": "a.b"},
            "found True, expected names and values, such as a component with its",
        ),
        ("network_def", "UNet", {"_target_": "a.b"}, "found 'UNet', expected names and values"),
        ("state", 3, {}, "found 3, expected names and values"),
        ("augmentation", "weak", "paper", "found 'weak', expected one of paper, strong"),
    ],
)
def test_values_of_another_kind(name, value, default, message):
    with pytest.raises(ValueError, match=f"--{name}: .*{message}"):
        check_value(name, value, default)


@pytest.mark.parametrize(
    ("name", "value", "default"),
    [
        ("teacher", ["a", "b"], "x"),
        ("window", (-200, 300), "$x"),
        ("num_classes", 3, 2),
        ("cases", "c1", None),
        ("network_def::width", "$2 * @student_width", 3),
        ("learning_rate", 1, 0.1),
        ("network_def", "%teacher_def", {"_target_": "a.b"}),
        ("network_def", {"_target_": "a.c"}, {"_target_": "a.b"}),
        ("other", [1], None),
        ("flip_axes", "rows", "$x"),
        ("flip_axes", ["slices", "columns"], "$x"),
        ("flip_axes", [], "$x"),
        ("flip_axes", "$None", "$x"),
    ],
)
def test_values_that_pass(name, value, default):
    check_value(name, value, default)
