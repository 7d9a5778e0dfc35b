"""An option of the command line, as a help text shows it."""

import pytest

from medkd.configs.option import Option


@pytest.mark.parametrize(
    ("option", "usage"),
    [
        (Option("seed", "whole", "A."), "--seed N"),
        (Option("html", "flag", "A."), "--html"),
        (Option("resume", "truth", "A."), "--resume True|False"),
        (Option("role", "text", "A.", choices=("student", "teacher")), "--role student|teacher"),
        (Option("run", "mapping", "A.", metavar="TITLE=FOLDER"), "--run TITLE=FOLDER"),
        (Option("seeds", "list", "A."), "--seeds A B ..."),
    ],
)
def test_usage_names_the_kind_of_value(option, usage):
    assert option.usage == usage


def test_defaults_are_those_of_a_plain_option():
    option = Option("a", "text", "A.")
    assert not option.nullable and not option.repeat and option.default is None and option.choices == ()
