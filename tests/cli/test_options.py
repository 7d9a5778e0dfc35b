"""Reading the command line of a run, and which options it may have."""

import pytest
import yaml
from monai.bundle import ConfigParser

from medkd.cli.commands import options_from_record
from medkd.cli.options import (
    check_assistant,
    check_command,
    check_model,
    check_options,
    merged_config,
    parse_command,
    recorded,
)
from medkd.runs.errors import one_line_errors

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


def test_a_model_is_used_as_it_was_trained(tmp_path):
    check_model(tmp_path, window=[-200, 300])  # nothing known of it
    (tmp_path / "config.yaml").write_text("bundle_root: b\nwindow: [-200, 300]\ntarget: tumour\n")
    check_model(tmp_path, window=(-200, 300), target="tumour", unknown=1)
    for path in (tmp_path, tmp_path / "model.pt"):
        with pytest.raises(ValueError, match=r"trained with --window \[-200, 300\], this command has \[0, 5\]"):
            check_model(path, window=[0, 5])


def test_an_assistant_of_another_teacher_is_noted(tmp_path, capsys):
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


@pytest.mark.parametrize(
    "text", ["defaults: [a]\nwindow: [0, 5]\n", "- window\n", "window", "", "a: [1", "a: !!x 1", "\0"]
)
def test_a_file_of_another_tool_is_no_record(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    check_model(tmp_path, window=[-200, 300])
    assert recorded(tmp_path, "window", 7) == 7


def test_an_error_in_a_worker_is_found_in_its_trace():
    lines = [
        "Caught RuntimeError in DataLoader worker process 0.",
        "ValueError: c1: truncated",
        "",
        "RuntimeError: applying",
    ]
    trace = "\n".join(lines)
    assert one_line_errors(RuntimeError(trace)) == "c1: truncated"


def test_the_deepest_input_error_speaks():
    try:
        try:
            try:
                raise KeyError("inner detail")
            except KeyError as error:
                raise ValueError("case_1.nii.gz:\n  not readable") from error
        except ValueError as error:
            raise RuntimeError("Failed to instantiate ...") from error
    except RuntimeError as error:
        assert one_line_errors(error) == "case_1.nii.gz: not readable"
    assert one_line_errors(RuntimeError("a defect of ours keeps its trace")) is None


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


def test_a_component_with_wrong_arguments_is_named():
    parser = ConfigParser({"a": {"_target_": "medkd.networks.TappedNetwork", "network": 3}})
    with pytest.raises(RuntimeError) as caught:
        parser.get_parsed_content("a")
    assert one_line_errors(caught.value).startswith("medkd.networks.TappedNetwork: ")
    assert "missing 1 required positional argument: 'encoder'" in one_line_errors(caught.value)


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


def test_what_a_model_was_trained_with(tmp_path):
    (tmp_path / "config.yaml").write_text("bundle_root: b\nwidth: 3\nratio: $1 / 2\n")
    assert recorded(tmp_path / "model.pt", "width", 5) == recorded(tmp_path, "width", 5) == 3
    assert recorded(tmp_path, "ratio", 1.0) == 1.0 and recorded(tmp_path, "other", 7) == 7
    assert recorded(tmp_path / "nowhere/model.pt", "width", 5) == 5


def test_what_a_run_resolved_comes_before_expressions(tmp_path):
    resolved = "trained_with: {classes: {1: liver}, window: [0, 9], target: all, size: '@size'}\n"
    (tmp_path / "config.yaml").write_text(f"window: $data.window()\nsize: 3\nother: $1\n{resolved}")
    assert recorded(tmp_path, "window") == [0, 9] and recorded(tmp_path, "target") == "all"
    assert recorded(tmp_path, "size") == 3  # a record of before: its trained_with is as the configuration has it
    check_model(tmp_path, classes={1: "liver"}, window=(0, 9), size=3, other=5)
    with pytest.raises(
        ValueError, match=r"trained on data with classes \{1: 'liver'\}, this data set has \{1: 'spleen'\}"
    ):
        check_model(tmp_path, classes={1: "spleen"})
    with pytest.raises(ValueError, match="no config.yaml beside it says its other: give the output folder of the run"):
        recorded(tmp_path, "other")


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
