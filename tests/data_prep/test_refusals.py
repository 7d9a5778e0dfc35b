"""Messages on refused cases: a long list of one fault is one line."""

import pytest

from medkd.data_prep._refusals import refuse


def test_a_fault_of_many_cases_is_told_in_eleven_lines():
    refused = {f"case_{number:03}": f"case_{number:03}.png is grey" for number in range(397)}
    refused["odd"] = "odd.png: its mask is missing"
    with pytest.raises(ValueError, match="^398 of 400 cases refused, nothing was written:\n") as error:
        refuse(refused, 400)
    lines = str(error.value).splitlines()[1:]
    assert lines[0] == "case_000: case_000.png is grey" and lines[10] == "odd: odd.png: its mask is missing"
    assert lines[11].startswith("387 more like case_000: case_010, case_011, ") and len(lines) == 12
    assert lines[11].endswith(", case_396")  # every case is named


def test_a_few_cases_have_a_line_each():
    with pytest.raises(ValueError, match="^1 of 2 cases refused, nothing was written: a: is empty$"):
        refuse({"a": "is empty"}, 2)
    with pytest.raises(ValueError, match="written:\na: is empty\nb: is empty$"):
        refuse({"a": "is empty", "b": "is empty"}, 2)
