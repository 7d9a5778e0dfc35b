"""Words of a command line: options, values, and back."""

import pytest

from medkd.cli.words import format_options, format_value, read_value, split_words


def read(words, arity="all"):
    positionals, pairs = split_words(words, lambda name: arity)
    return positionals, {name: read_value(values) for name, values in pairs}


def test_words_and_literals():
    words = [
        "task",
        "--max_epochs",
        "3",
        "--train#trainer::amp=True",
        "--window",
        "[-200, 300]",
        "--flag",
        "--name",
        "x y",
    ]
    positionals, options = read(words)
    assert positionals == ["task"]
    assert options == {"max_epochs": 3, "train::trainer::amp": True, "window": [-200, 300], "flag": True, "name": "x y"}


def test_lists_as_words():
    words = ["--window", "-200", "300", "--spacing=3", "0.8", "--sizes", "[1, 2]", "--fold", "1"]
    assert read(words)[1] == {"window": [-200, 300], "spacing": [3, 0.8], "sizes": [1, 2], "fold": 1}


def test_arity_decides_what_is_positional():
    assert read(["--a", "1", "b"], "one") == (["b"], {"a": 1})
    assert read(["--html", "b"], "none") == (["b"], {"html": True})
    assert read(["--resume", "b"], "truth") == (["b"], {"resume": True})
    assert read(["--resume", "False", "b"], "truth") == (["b"], {"resume": False})
    assert read(["--clip", "-1.5"], "one") == ([], {"clip": -1.5})


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("[a, b]", ["a", "b"]),
        ("{a: 1, b: [x, 1e-4]}", {"a": 1, "b": ["x", 1e-4]}),
        ("{'a': 'b'}", {"a": "b"}),
        ("[true, null]", [True, None]),
        ("[unfinished", "[unfinished"),
        ("1e-4", 1e-4),
        ("true", "true"),  # its id decides
        ("$None", "$None"),
        ("a: b", "a: b"),
    ],
)
def test_values_as_python_or_yaml_writes_them(word, value):
    assert read_value([word]) == value


@pytest.mark.parametrize(
    "value", ["text", "5", "[1, 2]", "{a: 1}", 5, 1e-4, [1, "a"], {"a": [None]}, True, "x y", "'q'"]
)
def test_what_is_written_is_read_again(value):
    assert read_value([format_value(value)]) == value
    assert read(format_options({"a": value}), "one")[1] == {"a": value}
