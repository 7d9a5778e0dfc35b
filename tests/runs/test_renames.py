"""Records of runs from before a rename are read with the names of today."""

from importlib import import_module

import pytest
import yaml

from medkd.runs.folder import RunFolder
from medkd.runs.renames import RENAMED_ARGUMENTS, RENAMES, rename_config

# A record as medkd 0.3 wrote it, shortened.
OLD = {
    "imports": [
        "$import torch",
        "$import medkd.data as data",
        "$import medkd.engines as engines",
        "$import medkd.metrics as metrics",
        "$import medkd.options as options",
        "$from functools import partial",
    ],
    "bundle_root": "bundles/kits19",
    "inferer": {"_target_": "medkd.engines.SliceBatchInferer", "roi_size": "@image_size", "decide": "@decide"},
    "decide": "$partial(metrics.label_map, protocol=@protocol)",
    "train": {
        "deterministic_transforms": [{"_target_": "medkd.data.TargetLabeld", "keys": "label", "target": "@values"}],
        "source": {
            "_target_": "medkd.data.SliceDataset",
            "data": "$data.draw_cases(data.load_datalist(@dataset_dir, 'training'), @training_cases, @seed)",
        },
        "handlers": [{"_target_": "medkd.handlers.RunRecord", "output_dir": "@output_dir"}],
    },
    "teacher_network": "$networks.load_teacher(@teacher, @teacher_def, @num_classes)",
    "command": "$options.check(@output_dir, @resume)",
    "overlays": {"_target_": "medkd.visuals.draw_runs", "output_dir": "$@output_dir + '/overlays'"},
    "run": ["$@train::trainer.run()"],
}


def find(dotted: str) -> object:
    """The object of a dotted name."""
    module, _, name = dotted.rpartition(".")
    return getattr(import_module(module), name)


@pytest.mark.parametrize("name", sorted({name for name in RENAMES.values() if name not in RENAMES}))
def test_new_names_exist(name):
    assert find(name) is not None


@pytest.mark.parametrize("name", sorted(RENAMES))
def test_old_names_are_gone(name):
    with pytest.raises((ImportError, AttributeError)):
        find(name)


def test_arguments_are_of_names_of_today():
    assert all(find(name) for name in RENAMED_ARGUMENTS)


class TestRenameConfig:
    def test_targets_and_expressions(self):
        config = rename_config(OLD)
        assert config["inferer"]["_target_"] == "medkd.inferers.SliceBatchInferer"
        assert config["decide"] == "$partial(metrics.logits_to_labels, protocol=@protocol)"
        assert config["train"]["deterministic_transforms"][0]["_target_"] == "medkd.data.MapLabelsd"
        assert config["train"]["source"]["data"].startswith("$data.subsample_cases(data.load_datalist(@dataset_dir")
        assert config["train"]["handlers"][0]["_target_"] == "medkd.runs.RunRecord"
        assert config["teacher_network"] == "$teachers.load_teacher(@teacher, @teacher_def, @num_classes)"
        assert config["command"] == "$cli.check_command(@output_dir, @resume)"
        assert config["overlays"]["_target_"] == "medkd.visuals.plot_runs"

    def test_imports_follow(self):
        imports = rename_config(OLD)["imports"]
        assert "$import medkd.options as options" not in imports
        for package in ("cli", "data", "inferers", "metrics", "runs", "teachers", "visuals"):
            assert imports.count(f"$import medkd.{package} as {package}") == 1

    def test_argument_is_not_changed(self):
        assert OLD["inferer"]["_target_"] == "medkd.engines.SliceBatchInferer"

    def test_config_of_today_stays(self):
        config = rename_config(OLD)
        assert rename_config(config) == config

    @pytest.mark.parametrize(
        "value",
        ["data.draw_cases of a note", "$@data.draw_cases", "$mine.data.draw_cases(1)", "$data.draw_cases_of_mine()"],
    )
    def test_other_text_stays(self, value):
        assert rename_config({"note": value}) == {"note": value}

    def test_name_that_was_renamed_twice(self, monkeypatch):
        monkeypatch.setitem(RENAMES, "medkd.data.MapLabelsd", "medkd.data.Relabeld")
        assert rename_config({"a": {"_target_": "medkd.data.TargetLabeld"}}) == {
            "a": {"_target_": "medkd.data.Relabeld"}
        }

    def test_renamed_arguments(self, monkeypatch):
        monkeypatch.setitem(RENAMED_ARGUMENTS, "medkd.data.MapLabelsd", {"target": "values"})
        config = {"a": {"_target_": "medkd.data.TargetLabeld", "keys": "label", "target": "@values"}}
        assert rename_config(config)["a"] == {"_target_": "medkd.data.MapLabelsd", "keys": "label", "values": "@values"}


def test_old_record_is_read(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(OLD))
    assert RunFolder(tmp_path).read_content() == rename_config(OLD)
