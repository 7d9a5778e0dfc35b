"""Names of cases: those that can be names of files, and those that are refused."""

import pytest

from medkd.runs.case_names import check_case_name

RIGHT = [
    "case_00001",
    "Müller 3.1",
    "病例 1",
    "a..b",
    "...",
    "2020-01-01T10:20",
    "می\u200cخواهم",
    "-rf",
    "@x",
    "~",
    "=1",
    "x" * 200,
]
WRONG = {
    "a path": ["../../x", "a/b", "a\\b", "/etc/x", "..", ".", "C:x", "a/", "..\\x", "//host/x"],
    "the control character": [
        "a\nb",
        "a\0",
        "a\x1b[2J",
        "a\x7f",
        "a\x85b",
        "a\u2028b",
        "\udcff",
        "a\u202egnp.exe",
        "\u2066a",
    ],
    "an empty name": ["", " ", "\u3000"],
    "bytes, expected at most 200": ["x" * 201, "é" * 101],
    "expected a text": [None, True, 1.5, ["a"], {"a": 1}],
}


@pytest.mark.parametrize("name", RIGHT)
def test_names_that_users_have_are_kept(name):
    assert check_case_name(name) == name


def test_a_number_is_taken_for_its_digits():
    assert check_case_name(7) == "7"


@pytest.mark.parametrize(("message", "name"), [(message, name) for message, names in WRONG.items() for name in names])
def test_names_that_could_leave_their_folder_or_break_a_line_are_refused(message, name):
    with pytest.raises(ValueError, match=message) as error:
        check_case_name(name)
    assert str(error.value).isprintable()
