"""A command line, read once."""

import pytest
import yaml

from medkd.cli.parser import read_command
from medkd.cli.verbs import VERBS
from medkd.runs.errors import UsageError


def read(verb, *words):
    return read_command(VERBS[verb], words)


def test_settings_options_and_task():
    command = read("train", "--role", "teacher", "kits19", "--image_size", "96", "96", "--overlay=a", "--overlay", "b")
    assert command.task == "kits19" and str(command) == "train kits19"
    assert {"role": "teacher", "mode": None, "overlay": ["a", "b"]}.items() <= command.settings.items()
    assert command.options == {"image_size": [96, 96]}
    assert read("train", "nifti", "--flip_axes", "slices", "rows").options == {"flip_axes": ["slices", "rows"]}


@pytest.mark.parametrize("verb", ["evaluate", "infer", "export", "pack"])
def test_the_model_names_its_task(verb, tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"bundle_root": "b/lits"}))
    assert read(verb, "--model", str(tmp_path)).task == "lits"
    assert read(verb, "kits19", "--model", str(tmp_path)).task == "kits19"
    (tmp_path / "config.yaml").unlink()
    with pytest.raises(UsageError, match=f"task: found none, and no record beside --model {tmp_path} names it"):
        read(verb, "--model", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="--model gone: no such file or folder"):
        read(verb, "--model", "gone")
    with pytest.raises(UsageError, match="task: found none, expected one of cvc_endoscene, "):
        read(verb)


def test_experiments_hand_on_what_they_do_not_read():
    words = [
        "--data",
        "kits19=K",
        "desk",
        "--executor",
        "slurm",
        "--seeds",
        "0",
        "1",
        "--jobs",
        "3",
        "--data",
        "lits=L",
    ]
    command = read("experiment", *words, "--cores", "2", "-n")
    assert command.names == ["desk"] and command.rest == ["--executor", "slurm", "--jobs", "3", "-n"]
    assert command.settings["data"] == ["kits19=K", "lits=L"] and command.settings["cores"] == 2
    assert command.settings["seeds"] == [0, 1] and command.settings["rows"] is None
    assert read("experiment", "--seeds", "[0, 1]", "--rows", "['a', 'b']").settings["rows"] == ["a", "b"]


def test_folders_of_a_report():
    command = read("report", "H_0", "H_1", "--html", "--output_dir", "T")
    assert command.names == ["H_0", "H_1"] and command.settings["html"] is True


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "kits19", "--role"], "--role: found no value, expected --role student"),
        (["train", "kits19", "--role", "boss"], "--role: found 'boss', expected one of student, teacher"),
        (["train", "kits20"], "task: found 'kits20', expected one of .*did you mean kits19"),
        (["train", "kits19", "stray"], r"unexpected positional argument\(s\) stray"),
        (["layers", "kits19", "--depth", "-1"], "--depth: found -1, expected a whole number from 0 on"),
        (["layers", "kits19", "--depth", "deep"], "--depth: found deep, expected a whole number from 0 on"),
        (["demo", "--sed", "1"], r"unknown option\(s\): --sed \(did you mean --seed\?\)"),
        (["methods", "--markdwn"], r"--markdwn \(did you mean --markdown\?\)"),
    ],
)
def test_commands_that_cannot_be_read(words, message):
    with pytest.raises(ValueError, match=message):
        read(*words)


@pytest.mark.parametrize("word", ["maybe", "yes", "1"])
def test_an_option_that_is_true_or_false_has_no_other_word(word):
    with pytest.raises(UsageError, match=f"--largest_component: found '{word}', expected True or False"):
        read("infer", "--largest_component", word, "--model", "M", "--input", "I")
    assert read("infer", "--largest_component", "kits19", "--model", "M").task == "kits19"
