"""Which options of a record are read, and which records are refused: a stranger may have written one."""

import pytest
import yaml

from medkd.runs import RunFolder
from medkd.runs.record import check_model, check_student, recorded

EXPRESSION = "$open('written', 'w')"


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write_record(text):
        (tmp_path / "config.yaml").write_text("bundle_root: bundles/kits19\n" + text)
        return RunFolder(tmp_path)

    yield write_record
    assert not (tmp_path / "written").exists()


def test_options_alone_are_read(write):
    text = yaml.safe_dump(
        {
            "image_size": [32, 32],
            "spacing": "$None",
            "window": "$data.window()",
            "network_def": {"_target_": "os.getpid"},
            "run": [EXPRESSION],
            "unknown": EXPRESSION,
            "trained_with": {"mode": "3d", "window": [-1, 1.5], "size": "@size", "classes": {1: "liver"}},
        }
    )
    trained_with = {"mode": "3d", "window": [-1, 1.5], "classes": {1: "liver"}}
    expected = {"bundle_root": "bundles/kits19", "image_size": [32, 32], "spacing": None, "trained_with": trained_with}
    assert write(text).read_config() == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f'image_size: ["{EXPRESSION}", 96]', "image_size"),
        ("image_size: [-4, 96]", "image_size"),
        ("image_size: 96", "image_size"),
        ("student_width: {_target_: os.system, command: touch written}", "student_width"),
        ("student_width: .nan", "student_width"),
        ("student_width: [1, 2]", "student_width"),
        ("student_width: 1" + 30 * "0", "student_width"),
        ("teacher_layers: 1000000000", "teacher_layers"),
        ("window: [.inf, 3]", "window"),
        ("window: [5, 3]", "window"),
        ("spacing: ['@a', 1, 1]", "spacing"),
        ("target: [tumour]", "target"),
        ("method: {a: 1}", "method"),
        ("method_args: {weight: {a: '%b'}}", "method_args"),
        ("protocol: other", "protocol"),
        ("mode: 4d", "mode"),
        ("overlap: 2001-01-01", "overlap"),
        ("teacher: [1]", "teacher"),
        (f'trained_with: {{window: [0, "{EXPRESSION}"]}}', "trained_with::window"),
        ("trained_with: {classes: {1: {_target_: os.getpid}}}", "trained_with::classes"),
        ("trained_with: {classes: [a]}", "trained_with::classes"),
        ("trained_with: {per_case: 1}", "trained_with::per_case"),
        ("trained_with: {spacing: {a: 1}}", "trained_with::spacing"),
        ("trained_with: [1]", "trained_with"),
    ],
)
def test_options_that_are_no_plain_data_or_of_another_kind(write, text, place):
    folder = write(text)
    for read in (
        folder.read_config,
        folder.require_config,
        lambda: recorded(folder.path, "window", None),
        lambda: check_model(folder.path, window=[0, 1]),
        lambda: check_student(folder.path, "export"),
    ):
        with pytest.raises(ValueError, match=rf"config.yaml: {place}.*: found .*, expected") as error:
            read()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system ['touch written']",
        "a: !!python/name:os.system ''",
        "a: !<tag:yaml.org,2002:python/module:os> ''",
        "a: 2001-99-99",
        "a: " + 5000 * "9",
        "a: " + 200_000 * "[",
        "a: " + 2000 * "[" + 2000 * "]",
        "\n".join([f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9) if n else 'x'}]" for n in range(12)]),
        "a: &a [*a]",
    ],
    ids=lambda text: text[:20],
)
def test_files_that_are_no_record(write, text):
    folder = write(text)
    for read in (folder.read_config, folder.read_content, folder.require_config):
        with pytest.raises(
            ValueError, match=r"config.yaml: (not YAML \(.*\), expected the record|found more than .* values)"
        ):
            read()


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("window", [0, 9], [0, 5]),
        ("target", "tumour", "organ"),
        ("image_size", [64, 32], [32, 32]),
        ("mode", "2d", "3d"),
    ],
)
def test_a_value_that_was_edited_in_one_of_its_two_places_is_told(write, name, first, second):
    folder = write(yaml.safe_dump({name: first, "trained_with": {name: second}}))
    with pytest.raises(ValueError, match=f"found {name} .* and trained_with::{name} .*, expected one value"):
        folder.read_config()
    assert write(yaml.safe_dump({name: second, "trained_with": {name: second}})).read_config()[name] == second
