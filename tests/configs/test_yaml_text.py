"""What is wrong with text that is not YAML, and in which line."""

import pytest

from medkd.configs.yaml_text import load_yaml


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [1,\n", "line 3: .*expected (the )?node content"),
        ("a: 1\nb: [1 2: }", "line 2: "),
        ("a: 1\nb: !!python/object/apply:os.system [x]", "line 2: could not determine a constructor for the tag"),
        ("a: *b", "found undefined alias"),
        ("a: \0", "(?i)control characters"),
        ("a: 2001-99-99", "month"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(text, message):
    with pytest.raises(ValueError, match=message) as error:
        load_yaml(text)
    assert "\n" not in str(error.value)
