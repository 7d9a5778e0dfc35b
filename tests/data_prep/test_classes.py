"""Names of the classes of own masks: in order of their values, or by value."""

import pytest

from medkd.data_prep._classes import name_values

CASES = {1: ["a", "b"], 3: ["b"]}


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (None, {1: "class_1", 3: "class_2"}),
        ("x, y", {1: "x", 3: "y"}),
        (["x", "y"], {1: "x", 3: "y"}),
        ({3: "y", 1: "x"}, {1: "x", 3: "y"}),
        ({1: "Läsion", 3: "左肺"}, {1: "Läsion", 3: "左肺"}),
    ],
)
def test_names_of_values(classes, expected):
    names = name_values(classes, CASES)
    assert names == expected and list(names) == [1, 3]


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ("x", "1 name (x) for 2 values in the masks: 1 (2 cases), 3 (b)"),
        ({1: "x"}, "found the value 3 in the masks of b, expected only 1 x"),
        ({1: "x", 2: "z", 3: "y"}, "no mask holds z (label value 2): add cases that do, or take the class out"),
        ({1: "x", 3: "all"}, "names must differ, and be neither empty, all nor background"),
        ({1: "$x", 3: "y"}, "names must not begin with $"),
        ({1: "x\ny", 3: "y"}, "found the name 'x\\ny', expected one without control characters"),
    ],
)
def test_refused_names(classes, words):
    with pytest.raises(ValueError, match="^--classes: ") as error:
        name_values(classes, CASES)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_long_lists_of_cases_are_shortened():
    with pytest.raises(ValueError, match="the value 2 in the masks of a, b, c and 1 more"):
        name_values({1: "x"}, {1: ["a"], 2: list("abcd")})
