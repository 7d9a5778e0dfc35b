"""Runs that a command names."""

import pytest
import yaml

from medkd.cli.run_folders import folders_by_title, read_runs


def test_titles_and_folders():
    assert read_runs(["HLFD=H_0,H_1", "a b=S_0"]) == {"HLFD": ["H_0", "H_1"], "a b": ["S_0"]}
    for bad in (["HLFD"], ["=H_0"], ["HLFD="]):
        with pytest.raises(ValueError, match="--run: found .*, expected a title and folders"):
            read_runs(bad)
    with pytest.raises(ValueError, match="the title 'a' twice"):
        read_runs(["a=1", "a=2"])


def test_titles_from_records(tmp_path):
    records = {"H_0": {"method": "hlfd"}, "H_1": {"method": "hlfd"}, "S_0": {"method": "none"}}
    records["K_0"] = {"method": "kd", "method_args": {"weight": 0.5}}
    for name, record in records.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(yaml.safe_dump({"bundle_root": "b", **record}))
    (tmp_path / "bare").mkdir()
    folders = {name: str(tmp_path / name) for name in (*records, "bare")}
    assert folders_by_title(list(folders.values())) == {
        "hlfd": [folders["H_0"], folders["H_1"]],
        "Student alone": [folders["S_0"]],
        "kd (weight 0.5)": [folders["K_0"]],
        "bare": [folders["bare"]],
    }
