"""Plain data that MONAI's parser leaves as it is, and what is no plain data."""

import math

import pytest
import yaml
from monai.bundle import ConfigParser

from medkd.configs.plain import as_literal, check_plain, check_size

MARKED = ["$__import__('os').getpid()", "@a", "%a", "%a::b", "@##a", "$import os", "a#b", "@a::0", "$"]
DATA = [
    *MARKED,
    *(f"it's {text} \\" for text in MARKED),
    *([96, text] for text in MARKED),
    *({text: [text], 1: text} for text in MARKED),
    {"_target_": "os.getpid", "_mode_": "default"},
    {"a::b": None, "x y": True, "c": 1.5},
    ["plain", 1, 2.5, False],
    {"plain": {"a": [1]}},
    "",
]


@pytest.mark.parametrize("value", DATA, ids=repr)
def test_the_parser_makes_the_same_data_of_it(value):
    parser = ConfigParser({"a": {"b": 7}, "value": as_literal(value), "nested": {"x": "@value"}, "computed": "$@value"})
    for name in ("value", "nested::x", "computed"):
        assert parser.get_parsed_content(name) == value


def test_plain_values_stay_readable():
    for value in (3, None, "kd", [96, 96], {"weight": 0.5}):
        assert as_literal(value) is value


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("$1", "k"),
        (["$1", 96], r"k\[0\]"),
        ([[96, ["@a"]]], r"k\[0\]\[1\]\[0\]"),
        ({"a": {"b": "%c"}}, r"k\['a'\]\['b'\]"),
        ({"_target_": "os.system", "command": "x"}, "k"),
        ([{"_requires_": []}], r"k\[0\]"),
        ({"$1": 2}, "k"),
        (math.nan, "k"),
        ([math.inf], r"k\[0\]"),
        (yaml.safe_load("2001-01-01"), "k"),
        (yaml.safe_load("!!binary aGk="), "k"),
        (yaml.safe_load("!!set {a}"), "k"),
        ({(1, 2): 3}, "k"),
    ],
)
def test_what_is_no_plain_data(value, place):
    with pytest.raises(ValueError, match=rf"^config.yaml: {place}: found .*, expected plain data"):
        check_plain(value, "config.yaml: k")


def test_plain_data_passes():
    check_plain({"classes": {1: "tumour"}, "size": [1, 2.5], "none": None, "text": "a $b @c"}, "k")


@pytest.mark.parametrize(
    "text", ["a: &a [*a]", "\n".join([f"l{n}: &l{n} [{f'*l{n - 1},' * 9}]" for n in range(1, 12)])]
)
def test_a_bomb_of_shared_parts_is_refused(text):
    content = yaml.safe_load("l0: &l0 [x]\n" + text)
    with pytest.raises(ValueError, match="found more than 100000 values"):
        check_size(content, "config.yaml")
