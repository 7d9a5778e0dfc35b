"""What the verbs that run a bundle check before it runs."""

import pytest
import yaml

from medkd.cli import bundle_verbs
from medkd.cli.bundle_verbs import check_required_ids, checked_options, run_command
from medkd.cli.parser import read_command
from medkd.cli.verbs import VERBS

FOLDERS = ("--dataset_dir", "D", "--output_dir", "O")


def read(verb, *words):
    return read_command(VERBS[verb], words)


@pytest.fixture
def volumes(tmp_path):
    """A run in volumes."""
    (tmp_path / "model.pt").touch()
    record = {"bundle_root": "b/lits", "trained_with": {"mode": "3d", "image_size": [16, 32, 32]}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(record))
    return str(tmp_path)


def test_a_run_is_composed_of_the_command(monkeypatch):
    runs = []
    monkeypatch.setattr(bundle_verbs, "run_bundle", runs.append)
    run_command(read("train", "lits", "--role", "teacher", *FOLDERS, "--resume", "true"), ("dataset_dir", "output_dir"))
    (run,) = runs
    assert run.options["resume"] is True and run.options["dataset_dir"] == "D"
    assert [name.rpartition("/")[2] for name in run.files] == ["train.yaml", "teacher.yaml"]


def test_words_and_the_record_become_options(volumes):
    options, mode = checked_options(read("evaluate", "--model", volumes, *FOLDERS, "--patience", "none"))
    assert mode == "3d" and options["patch_size"] == [16, 32, 32] and options["patience"] == "$None"


def test_lists_are_written_as_words_or_in_python_or_yaml():
    for words in (["32", "32"], ["[32,32]"], ["(32, 32)"], ["[32, 32]"]):
        options, _ = checked_options(read("train", "kits19", *FOLDERS, "--image_size", *words))
        assert list(options["image_size"]) == [32, 32]


def test_misspelt_options_are_told_before_missing_ones(volumes):
    required = ("dataset_dir", "output_dir")
    for verb, words, message in (
        (
            "train",
            ["kits19", "--sed", "1"],
            r"^unknown option\(s\): --sed .*; medkd train kits19 needs --dataset_dir, ",
        ),
        ("train", ["kits19", "--output_dir", "O"], "^medkd train kits19 needs --dataset_dir$"),
        # patch_size exists in volumes alone, as the record says
        ("evaluate", ["--model", volumes, "--patch_size", "8", "8", "8"], "^medkd evaluate lits needs --dataset_dir, "),
        ("evaluate", ["lits", "--model", "gone", "--sed", "1"], "--sed .*; medkd evaluate lits needs"),
        ("distill", ["kits19", "--soft_labels", "cached", "--soft_labels_dir", "S"], "^medkd distill kits19 needs"),
        ("distill", ["kits19", "--teacher::max_epochs", "3"], "^medkd distill kits19 needs"),
    ):
        with pytest.raises(ValueError, match=message):
            check_required_ids(read(verb, *words), required)


def test_options_of_the_verb_itself_may_be_required():
    with pytest.raises(ValueError, match="^medkd export kits19 needs --format$"):
        check_required_ids(read("export", "kits19"), ("format",))
    check_required_ids(read("export", "kits19", "--format", "onnx"), ("format",))
