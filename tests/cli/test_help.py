"""Help texts name every option, with its default."""

import re

import pytest

from medkd.cli.help import command_help, verb_help
from medkd.cli.verbs import VERBS
from medkd.configs.bundles import tasks
from medkd.configs.table import ID_OPTIONS


def test_all_verbs_are_listed():
    text = command_help(VERBS)
    assert all(re.search(rf"^  {verb} ", text, re.MULTILINE) for verb in VERBS)


def test_options_of_a_task_have_defaults():
    text = verb_help(VERBS["train"], "nifti")
    for name, default in (("max_epochs", 120), ("student_width", 16), ("seed", 0), ("slice_batch", 8)):
        assert re.search(rf"--{name} .*\(default: {default}\)", text), name
    assert text.index("--output_dir") < text.index("--max_epochs") < text.index("--val_interval")
    assert "--patch_size" not in text and "--num_classes" not in text
    volumes = verb_help(VERBS["train"], "nifti", {"mode": "3d", "role": "teacher"})
    assert "--patch_size" in volumes and "--slice_batch" not in volumes and "--imagenet21k" in volumes


def test_options_of_a_verb_are_those_of_its_configurations():
    texts = {verb: verb_help(VERBS[verb]) for verb in ("train", "evaluate", "infer", "pack", "figures")}
    for verb, names, others in (
        ("train", ("max_epochs", "patch_size", "queue_capacity"), ("model", "input", "runs")),
        ("evaluate", ("model", "protocol"), ("input", "runs")),
        ("infer", ("input", "save_probabilities"), ("max_epochs", "runs")),
        ("pack", ("model", "output_dir", "overlap"), ("max_epochs", "input", "device", "dataset_dir")),
        ("figures", ("runs", "count", "teacher"), ("input",)),
    ):
        listed = set(re.findall(r"^  --(\w+)", texts[verb], re.MULTILINE))
        assert set(names) <= listed and not set(others) & listed, verb
    # the help of a task does not list what the verb refuses either
    assert "--max_epochs" not in verb_help(VERBS["pack"], "kits19") and "--runs" in verb_help(VERBS["figures"], "lits")


def test_required_options_of_the_verb_itself_come_first():
    for verb, names in (("report", ["output_dir"]), ("experiment", ["data", "output_dir"]), ("export", ["format"])):
        text = verb_help(VERBS[verb])
        required = text.split("required:")[1].split("options of the command:")[0]
        assert all(f"--{name} " in required and text.count(f"\n  --{name} ") == 1 for name in names), verb


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_text(verb):
    texts = [verb_help(VERBS[verb])]
    texts += [verb_help(VERBS[verb], task) for task in tasks()] if VERBS[verb].task != "none" else []
    for text in texts:
        assert text.startswith(f"usage: medkd {verb}") and max(map(len, text.splitlines())) <= 128


def test_every_option_has_one_sentence():
    for option in ID_OPTIONS.values():
        assert option.kind == "computed" or re.fullmatch(r"[A-Z].*\.", option.help), option
    for verb in VERBS.values():
        assert all(re.fullmatch(r"[A-Z].*\.", option.help) for option in verb.settings), verb.name
