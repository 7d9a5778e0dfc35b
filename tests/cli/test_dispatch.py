"""The verb of a command line is found, and its help is shown or its command is run."""

import dataclasses
import logging

import pytest

import medkd
from medkd.cli.dispatch import run_words
from medkd.cli.verbs import VERBS
from medkd.runs.errors import UsageError


@pytest.fixture
def commands(monkeypatch):
    """The commands that `train` was called with, in the place of trainings."""
    commands = []
    monkeypatch.setitem(VERBS, "train", dataclasses.replace(VERBS["train"], run=commands.append))
    return commands


def test_monai_does_not_warn_of_overlays_beside_the_bundle(commands):
    run_words(["train", "kits19"])
    logger = logging.getLogger("monai.bundle.workflows")
    logger.setLevel(logging.INFO)  # as MONAI does when the module is imported
    records = [
        logging.LogRecord(logger.name, level, "", 0, "x", None, None) for level in (logging.WARNING, logging.ERROR)
    ]
    assert [bool(logger.filter(record)) for record in records] == [False, True]


def test_a_command_is_read_and_run(commands):
    run_words(["train", "kits19", "--seed", "3"])
    (command,) = commands
    assert str(command) == "train kits19" and command.options == {"seed": 3}


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_runs_nothing(word, commands, capsys):
    run_words(["train", "kits19", word])
    run_words(["train", word, "--role"])  # not a command, but its help is wanted
    kits19, plain = capsys.readouterr().out.split("usage: medkd train TASK ")[1:]
    assert "(default: 120)" in kits19 and "(default: 120)" not in plain and not commands


def test_help_follows_the_options_of_the_command(capsys):
    run_words(["train", "kits19", "--mode", "3d", "--help"])
    assert "--patch_size" in capsys.readouterr().out


def test_the_command_itself(capsys):
    run_words(["--version"])
    assert capsys.readouterr().out == f"medkd {medkd.__version__}\n"
    run_words(["--help"])
    assert capsys.readouterr().out.startswith("usage: medkd VERB")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "verb: found none, expected one of prepare, train"),
        (["trian"], r"verb: found 'trian', .*\(did you mean train\?\)"),
        (["--verbose"], "verb: found '--verbose'"),
    ],
)
def test_unknown_verbs(words, message):
    with pytest.raises(UsageError, match=message):
        run_words(words)
