"""Options of a command that packs a model."""

import pytest
import yaml

from medkd.cli.pack_options import RECORDED, RUNTIME_OPTIONS, read_pack_options
from medkd.configs.bundles import config_files
from medkd.configs.merge import merge_files


@pytest.fixture
def run(tmp_path):
    (tmp_path / "model.pt").touch()
    record = {"bundle_root": "bundles/lits", "student_width": 8, "trained_with": {"mode": "3d", "overlap": 0.5}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(record))
    return str(tmp_path)


def test_the_record_fills_options_and_mode(run):
    options, mode, config = read_pack_options("lits", {"model": run}, None, ())
    assert mode == config["mode"] == "3d" and options["student_width"] == 8 and options["overlap"] == 0.5
    options, mode, config = read_pack_options("lits", {"model": run, "student_width": 4}, "2d", ())
    assert mode == config["mode"] == "2d" and options["student_width"] == 4


def test_overlays_are_merged(run, tmp_path):
    (tmp_path / "o.yaml").write_text("slice_batch: 3\n")
    assert read_pack_options("lits", {"model": run}, "2d", [str(tmp_path / "o.yaml")])[2]["slice_batch"] == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "^medkd pack lits needs --model$"),
        ({"modle": "x"}, r"--modle \(did you mean .*; medkd pack lits needs --model$"),
        ({"max_epochs": 3}, "unknown option.*--max_epochs"),
        *(({name: "cpu"}, f"--{name}: is chosen when the packed bundle is used") for name in RUNTIME_OPTIONS),
    ],
)
def test_options_that_are_refused(options, message, run):
    if "max_epochs" in options or set(options) & set(RUNTIME_OPTIONS):
        options = {"model": run, **options}
    with pytest.raises(ValueError, match=message):
        read_pack_options("lits", options, None, ())


def test_own_volumes_have_ids_that_the_record_computes():
    config = merge_files(config_files("infer", "nifti"))
    computed = [name for name, value in config.items() if str(value).startswith(RECORDED)]
    assert {"target", "window", "image_size", "classes"} <= set(computed)
