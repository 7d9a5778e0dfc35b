"""Ids that overlays and free options change, for the record."""

from medkd.cli.changes import changed_ids
from medkd.configs.bundles import config_files
from medkd.configs.merge import merge_files


def test_overlays_of_the_user_and_free_options_are_named(tmp_path):
    files = [*map(str, config_files("train", "kits19"))]
    options = {"max_epochs": 3, "method_args::weight": 1, "network_def::width": 3, "meta_file": "m", "decide": "$x"}
    assert changed_ids(files, {"max_epochs": 3}, merge_files(files)) == []
    assert changed_ids(files, options, merge_files(files)) == ["network_def::width", "decide"]
    overlay = tmp_path / "own.yaml"
    overlay.write_text("network_def: {_target_: mine.Net}\ntrain::inferer::overlap: 0.5\n")
    files.append(str(overlay))
    expected = [
        "network_def::_target_",
        *(f"network_def::{name}" for name in ("architecture", "spatial_dims", "in_channels", "out_channels", "width")),
        "train::inferer::overlap",
    ]
    assert sorted(changed_ids(files, {}, merge_files(files))) == sorted(expected)
    assert changed_ids([str(overlay)], {}, {}) == []
