"""Merging configuration files, as MONAI does."""

import copy
import itertools

import pytest
from monai.bundle import ConfigParser

from medkd.configs.bundles import BUNDLES, config_files, tasks
from medkd.configs.merge import all_ids, merge_files, set_value

OVERLAYS = sorted((BUNDLES / "overlays").glob("*.yaml"))


def all_lists_of_files():
    """Every list of files that a command merges, and every overlay alone over each task."""
    roles = ("student", "teacher", "false_pixel_assistant", "boundary_assistant")
    for verb, task, role, mode in itertools.product(
        ("train", "distill", "evaluate", "export", "infer", "comparison", "figures"), tasks(), roles, ("2d", "3d")
    ):
        try:
            yield config_files(verb, task, role, mode=mode)
        except ValueError:
            assert mode == "3d"
    for task in tasks():
        yield config_files("distill", task, soft_labels="cached")
        yield from (
            [BUNDLES / task / "configs/train.yaml", BUNDLES / "overlays/distill.yaml", file] for file in OVERLAYS
        )


def test_every_combination_equals_that_of_monai(monkeypatch):
    # each file is read once: reading YAML takes longer than all that is tested here
    read = {file: ConfigParser.load_config_file(file) for file in {f for files in all_lists_of_files() for f in files}}
    monkeypatch.setattr(ConfigParser, "load_config_file", lambda file, **_: copy.deepcopy(read[file]))
    monkeypatch.setattr("medkd.configs.merge._read", lambda file: copy.deepcopy(read[file]))
    monkeypatch.setattr("medkd.configs.merge._check_overlays", lambda contents: None)
    lists = {tuple(files) for files in all_lists_of_files()}
    assert len(lists) > 100
    for files in lists:
        assert merge_files(files) == ConfigParser.load_config_files(list(files)), files


@pytest.mark.parametrize(
    "overlay",
    [
        "a: 2",
        "'a::b': 2",
        "'l::1': 9",
        "'a#b': 2",
        "'+a': {c: 3}",
        "'+l': [3]",
        "'+new': [3]",
        "'+a::d': [4]",
        "'a::new': 1",
    ],
)
def test_rules_are_those_of_monai(tmp_path, overlay):
    (tmp_path / "a.yaml").write_text("a: {b: 1, d: [1]}\nl: [1, 2]\nx: '@new'\n")
    (tmp_path / "b.yaml").write_text(overlay)
    files = [str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")]
    assert merge_files(files) == ConfigParser.load_config_files(files)


def test_missing_config_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="--config_file: .*gone.yaml: no such file"):
        merge_files([tmp_path / "gone.yaml"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1,\n", "own.yaml: not YAML .line 2: "),
        ("", "own.yaml: found no content, expected names and values"),
        ("- 1\n", "own.yaml: found list, expected names and values"),
    ],
)
def test_file_that_is_no_configuration_is_named(tmp_path, text, message):
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        merge_files([tmp_path / "own.yaml"])


def test_misspelt_name_in_an_overlay_is_told(tmp_path):
    (tmp_path / "train.yaml").write_text("teacher_def: {width: 4}\nnobody_reads_me: 1\nnetwork: '@teacher_def'\n")
    overlay = tmp_path / "overlay.yaml"
    files = [tmp_path / "train.yaml", overlay]
    for good in (
        "teacher_def: {width: 8}",
        "size: 3\nteacher_def: {width: '@size'}",
        "size: 3\nteacher_def: {width: $2 * @size}",
        "'teacher_def::width': 9",
        "'+teacher_def': {depth: 3}",
        "other: {width: 2}\nteacher_def: '%other'",
    ):
        overlay.write_text(good)
        merge_files(files)
    for bad, message in (
        ("techer_def: {width: 8}", "nothing reads 'techer_def': did you mean teacher_def"),
        ("size: 3\nteacher_def: {width: '@sizes'}", "nothing reads 'size'"),
        ("'teacher_def::a::b': 1", "the configuration has no 'a'"),
    ):
        overlay.write_text(bad)
        with pytest.raises(ValueError, match=message):
            merge_files(files)


def test_values_are_set_by_id():
    config = {"a": {"b": 1}, "l": [{"c": 1}]}
    for name, value in (("a::b", 2), ("a::new", 3), ("l::0::c", 4), ("top", 5)):
        set_value(config, name, value)
    assert config == {"a": {"b": 2, "new": 3}, "l": [{"c": 4}], "top": 5}
    assert all_ids(config) == {"a", "a::b", "a::new", "l", "top"}
    with pytest.raises(ValueError, match="x::y: the configuration has no 'x'"):
        set_value(config, "x::y", 1)
