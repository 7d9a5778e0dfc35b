"""Reading the command line of a run, and which options it may have."""

import pytest
import yaml

from medkd.cli.commands import options_from_record
from medkd.cli.options import (
    check_command,
    check_options,
    merged_config,
    parse_command,
)

CONFIG = {
    "max_epochs": 120,
    "amp": "$torch.cuda.is_available()",
    "method": "none",
    "output_dir": "$@bundle_root",
    "image_size": [512, 512],
    "patience": None,
    "method_args": {},
    "train": {"trainer": {"_target_": "medkd.engines.DistillationTrainer", "amp": "@amp"}},
}


def test_words_and_literals():
    words, options = parse_command(
        [
            "stray",
            "--max_epochs",
            "3",
            "--train#trainer::amp=True",
            "--window",
            "[-200, 300]",
            "--flag",
            "--name",
            "x y",
        ]
    )
    assert words == ["stray"]
    assert options == {"max_epochs": 3, "train::trainer::amp": True, "window": [-200, 300], "flag": True, "name": "x y"}


def test_negative_numbers_are_values():
    assert parse_command(["--clip", "-1.5"])[1] == {"clip": -1.5}


@pytest.mark.parametrize(
    "options",
    [
        {"max_epochs": 3},
        {"max_epochs": "$1 + 2"},
        {"method": "none"},
        {"method_args::anything": 1},
        {"train::trainer::clip_norm": 2},
        {"train::trainer::optim_set_to_none": True},  # an argument of MONAI's trainer
        {"config_file": "x", "meta_file": "y"},
    ],
)
def test_known_options_pass(options):
    check_options([], options, CONFIG)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_epoch": 3}, r"unknown option\(s\): --max_epoch \(did you mean --max_epochs\?\)"),
        ({"train::trainer::amq": 1}, r"--train::trainer::amq \(did you mean --train::trainer::amp"),
        ({"train::batch": 1, "qqq": 2}, r"--train::batch.*; --qqq"),
        ({"amp": "false"}, "--amp false does not mean false to MONAI: write False"),
        ({"max_epochs": None}, r"--max_epochs None does not mean None to MONAI: write '\$None'"),
        ({"output_dir": 202401}, "--output_dir: MONAI reads this as the int 202401, expected a path: write ./NAME"),
        ({"image_size": 32}, r"--image_size: found 32, expected a list such as \[64,64\]"),
        ({"patience": "ten"}, "--patience: found 'ten', expected a number"),
        ({"train::trainer::supervised": 1}, "unknown option"),
        ({"max_epochs": "ten"}, "--max_epochs: found 'ten', expected a number"),
    ],
)
def test_unknown_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        check_options([], options, CONFIG)


def test_missing_config_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="--config_file: .*gone.yaml: no such file"):
        merged_config({"config_file": [str(tmp_path / "gone.yaml")]})


def test_check_does_nothing_in_a_library(monkeypatch):
    import sys

    hook = sys.excepthook
    monkeypatch.setattr("sys.argv", ["/some/server.py", "run", "--nonsense", "1"])
    assert check_command("anywhere") is None
    assert sys.excepthook is hook


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1,\n", "own.yaml: not a YAML or JSON file: while parsing a flow node"),
        ("", "own.yaml: holds NoneType, expected names and values"),
        ("- 1\n", "own.yaml: holds list, expected names and values"),
    ],
)
def test_a_file_that_is_no_configuration_is_named(tmp_path, text, message):
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        merged_config({"config_file": [str(tmp_path / "own.yaml")]})


def test_a_misspelt_name_in_an_overlay_is_told(tmp_path):
    (tmp_path / "train.yaml").write_text("teacher_def: {width: 4}\nnobody_reads_me: 1\nnetwork: '@teacher_def'\n")
    overlay = tmp_path / "overlay.yaml"
    options = {"config_file": [str(tmp_path / "train.yaml"), str(overlay)]}
    for good in (
        "teacher_def: {width: 8}",
        "size: 3\nteacher_def: {width: '@size'}",
        "size: 3\nteacher_def: {width: $2 * @size}",
        "'teacher_def::width': 9",
        "'+teacher_def': {depth: 3}",
        "other: {width: 2}\nteacher_def: '%other'",
    ):
        overlay.write_text(good)
        merged_config(options)
    for bad, message in (
        ("techer_def: {width: 8}", "nothing reads 'techer_def': did you mean teacher_def"),
        ("size: 3\nteacher_def: {width: '@sizes'}", "nothing reads 'size'"),
    ):
        overlay.write_text(bad)
        with pytest.raises(ValueError, match=f"overlay.yaml: {message}"):
            merged_config(options)


def test_options_of_several_words():
    words = ["--window", "-200", "300", "--spacing=3", "0.8", "--sizes", "[1, 2]", "--fold", "1", "stray"]
    stray, options = parse_command(words, ["window", "spacing", "sizes"])
    assert stray == ["stray"]
    assert options == {"window": [-200, 300], "spacing": [3, 0.8], "sizes": [1, 2], "fold": 1}


def test_volumes_are_evaluated_with_the_overlap_of_their_training(tmp_path):
    (tmp_path / "model.pt").touch()
    record = {"bundle_root": "bundles/nifti", "overlap": 0.25, "trained_with": {"mode": "3d", "spacing": None}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(record))
    options, mode = options_from_record("evaluate", "nifti", ["--model", str(tmp_path)], None)
    assert mode == "3d" and options[2:] == ["--spacing", "$None", "--overlap", "0.25"]
    assert (
        options_from_record("evaluate", "nifti", ["--model", str(tmp_path), "--overlap", "0"], None)[0].count(
            "--overlap"
        )
        == 1
    )
